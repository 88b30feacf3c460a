"""Between signal and texts: the third factor of each layer, and what a signal from above is handed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from torch import Tensor

from neurorules.series import Series, per_step
from neurorules.signals._shared import Every, SignalState, ThirdFactor, View
from neurorules.torch_path.layer import NETWORK_INPUT, carry_back
from neurorules.torch_path.local_view import Gathered
from neurorules.torch_path.output import Output
from neurorules.torch_path.simulate import Activity
from neurorules.torch_path.simulate_backwards import through_own_loop
from neurorules.torch_path.trial import PhaseRecord, Trial


@dataclass
class Teacher:
    """Asks the signal for each layer's third factor, once a trial, and keeps what it answers.

    Without an `output`, as where a layer learns before the batch has left the network, the read-out has none.
    """

    trial: Trial
    records: dict[str, PhaseRecord]
    output: Output | None
    state: SignalState
    gathered: Gathered
    samples: int
    gradients: dict[str, Tensor] = field(default_factory=dict)
    known: dict[str, ThirdFactor] = field(default_factory=dict)
    third_factors: dict[str, Series] = field(default_factory=dict)

    def third_factor(self, index: int, phase: str, above: Callable[..., Series] | None) -> Series | None:
        """m of one layer in one phase; None where the phase has none."""
        m = self._third_factor(index, phase, above)
        if m is not None and phase == "input":
            self.third_factors[self.trial.model.network.layers[index].name] = m
        return m

    def sent(self, index: int) -> Series | None:
        """What the signal's own reverse circuit sends to the layers below; None where it has none."""
        known = self.known.get(self.trial.model.network.layers[index].name)
        return None if known is None else known.sent

    def _third_factor(self, index: int, phase: str, above: Callable[..., Series] | None) -> Series | None:
        model, layer = self.trial.model, self.trial.model.network.layers[index]
        if layer.role == "readout" and not (model.signal is not None and model.signal.teaches_readout):
            return None if self.output is None else Series(per_step(self.output.m, self.trial.steps), True)
        if model.signal is None:
            return None
        if layer.name not in self.known:
            self.known[layer.name] = self._ask(index, above)
        return self.known[layer.name].m.get(phase)

    def _ask(self, index: int, above: Callable[..., Series] | None) -> ThirdFactor:
        model = self.trial.model
        signal, layer = model.signal, model.network.layers[index]
        assert signal is not None
        error = None if self.output is None or "output_error" not in signal.needs else self.output.m
        below = next((entry.source for entry in layer.inputs if not entry.connection.recurrent), NETWORK_INPUT)
        view = View(
            layer=model.shape.layers[index],
            net=model.shape,
            last=index == len(model.network.hidden) - 1,
            steps=self.trial.steps,
            readout=layer.role == "readout",
            summary=self._summary(index),
            source={} if below == NETWORK_INPUT else self._summary(below),
            every=self._every(index, signal.every),
            source_every={} if below == NETWORK_INPUT else self._every(below, signal.every),
            aside={} if index else {p: r.aside for p, r in self.records.items() if r.aside is not None},
            response=self._responses(),
            inner={p: r.activity[index].inner for p, r in self.records.items() if r.activity},
            gain=next((r.activity[index].gain for r in self.records.values() if r.activity), None),
            labels=self.trial.labels if "target" in signal.needs else None,
            output_error=error if error is None or layer.role == "readout" else model.told(error),
            above=above if "above" in signal.needs else None,
            weights=self.trial.learned.parameters if "weight_transport" in signal.needs else None,
        )
        answer = signal.third_factor(self.state, self.trial.learned.parameters, view)
        self.state = {**self.state, **answer.state}
        self.gradients |= {name: g / self.samples for name, g in answer.gradients.items()}
        return answer

    def _summary(self, index: int) -> dict[str, Tensor]:
        name = self.trial.model.network.layers[index].name
        return {p: per_step(r.summary[name], self.trial.steps) for p, r in self.records.items() if name in r.summary}

    def _responses(self) -> dict[str, Tensor]:
        rule, steps = self.trial.model.rule, self.trial.steps
        outputs = {p: r.output for p, r in self.records.items() if rule.phase(p).linear}
        return {p: per_step(output, steps) for p, output in outputs.items() if output is not None}

    def _every(self, index: int, what: Every | None) -> dict[str, Tensor]:
        if what is None:
            return {}
        found = {p: r.activity[index] for p, r in self.records.items() if r.activity}
        return {p: (a.S if what == "spikes" else a.v).over_time(a.steps) for p, a in found.items()}

    def visit_silent_layers(self) -> None:
        """Let the signal see layers whose texts never asked, so that its own read-outs and averages still move."""
        signal = self.trial.model.signal
        if signal is None or "above" in signal.needs:
            return
        for index in range(len(self.trial.model.network.hidden)):
            self.visit(index)

    def visit(self, index: int) -> None:
        """The same for one layer."""
        name = self.trial.model.network.layers[index].name
        if name not in self.known:
            self.known[name] = self._ask(index, None)


def above_of(
    trial: Trial, index: int, activities: list[Activity], handed: dict[int, Tensor | None]
) -> Callable[[Callable[[str], Tensor]], Series]:
    """The function that a signal from above asks: what the layers that read a layer carry back to its spikes.

    Args:
        trial: the batch.
        index: of the layer.
        activities: of all layers.
        handed: by layer, its post factor with respect to its current; made already for those above.
    """
    layers = trial.model.network.layers

    def carry(weights_of: Callable[[str], Tensor]) -> Series:
        total: Tensor | None = None
        for later in range(index + 1, len(layers)):
            for entry in layers[later].inputs:
                post = handed.get(later)
                if entry.source != index or entry.connection.recurrent or post is None:
                    continue
                series = Series(post, post.ndim == len(layers[later].shape) + 1)
                weights = weights_of(layers[later].weight(entry))
                back = carry_back(layers[later], entry, weights, series, activities[index].S, trial.masks)
                total = back.values if total is None else total + back.values
        assert total is not None, "a layer that nothing reads"
        total = through_own_loop(layers[index], activities[index], total, weights_of)
        return Series(total, total.ndim == len(layers[index].shape) + 1)

    return carry
