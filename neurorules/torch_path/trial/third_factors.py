"""The link between signal and texts: the signal is shown the activity of each layer, and its third factors are
stored.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from torch import Tensor

from neurorules.contracts.series import Series, per_step, spread_in_time
from neurorules.contracts.signal import SignalState, ThirdFactor
from neurorules.contracts.view import Every, View
from neurorules.network.layer import NETWORK_INPUT
from neurorules.torch_path.forward.run_layer import Activity
from neurorules.torch_path.trial.allowance import Purchase, layer_shape, third_factor
from neurorules.torch_path.trial.share import Share
from neurorules.torch_path.trial.trial import PhaseRecord, Trial
from neurorules.torch_path.update.local_view import ChangeSums, Output

Carried = Callable[[Callable[[str], Tensor]], Series]
"""The error from the layers above, as a function of the weights that it is carried through (`from_above.carrier`)."""


@dataclass
class ThirdFactors:
    """The third factors of a trial: computed by the signal once per trial or per window, and stored by layer.

    Args:
        trial: the batch.
        records: the records of the phases, by name.
        output: prediction and error; None if a layer learns before the batch has reached the read-out.
        state: the state of the signal, which changes with each layer.
        sums: the sums of the layers' changes.
        samples: B, by which the signal's gradients are divided.
        share: this rank's share of a batch, which these samples are; None for a whole batch.
        teaches: whether each step teaches, 1 or 0, (T,); None if all do.
        gradients: the gradients of the signal's parameters, averaged over samples.
        answers: the answers of the signal, by layer.
        third_factors: by layer, m in the phase "input"; that of the last window if the signal computes one for each
            window.
        common: the sums of the changes by rows that every rank has, such as class prototypes; `sums` itself without a
            share.
    """

    trial: Trial
    records: dict[str, PhaseRecord]
    output: Output | None
    state: SignalState
    sums: ChangeSums
    samples: int
    share: Share | None = None
    teaches: Tensor | None = None
    gradients: dict[str, Tensor] = field(default_factory=dict)
    answers: dict[str, ThirdFactor] = field(default_factory=dict)
    third_factors: dict[str, Series] = field(default_factory=dict)
    common: ChangeSums = field(init=False)

    def __post_init__(self) -> None:
        self.common = self.sums if self.share is None else ChangeSums()

    def join_common(self, share: Share) -> None:
        """Add the changes by rows that every rank has to those by this rank's samples, so that they count once."""
        for name, change in self.common.changes.items():
            self.sums.add(name, change * share.part_in_common)
        self.sums.update_sums |= self.common.update_sums
        self.sums.traces |= self.common.traces
        self.common = ChangeSums()

    def _of_all_samples(self, m: dict[str, Series]) -> dict[str, Series]:
        """Third factors by phase; those of rows that all samples share are summed over the samples of every rank."""
        if self.share is None:
            return m
        return {
            phase: series.like(self.share.total(series.values)) if self.records[phase].drive.in_common else series
            for phase, series in m.items()
        }

    def third_factor(
        self, index: int, phase: str, carried: Carried | None, start: int = 0, window: Sequence[Activity] | None = None
    ) -> Series | None:
        """The third factor of one layer in one phase and window.

        Args:
            index: the index of the layer.
            phase: the name of the phase.
            carried: the error from the layers above; None if none of them has learned yet.
            start: first step of the window.
            window: activity of every layer in the window; None for that of the whole trial, which the records hold.

        Returns:
            m, (W, B, *shape) of the window's steps or constant (B, *shape); None if the phase has none.
        """
        m = self._third_factor(index, phase, carried, start, window)
        if m is not None and self.teaches is not None:
            own = self._asks_anew(index) and window is not None
            steps = window[index].steps if own and window else self.trial.steps
            m = _where_taught(m, self.teaches, start if own else 0, steps)
        if m is not None and phase == "input":
            self.third_factors[self.trial.model.network.layers[index].name] = m
        if m is None or m.constant or self._asks_anew(index):
            return m
        return m.window(start, self.trial.steps if window is None else start + window[index].steps)

    def _asks_anew(self, index: int) -> bool:
        """Whether the signal computes a layer's m in each window, since m of a step depends on that step alone."""
        return self.trial.model.instant and self.trial.model.network.layers[index].role == "hidden"

    def _third_factor(
        self, index: int, phase: str, carried: Carried | None, start: int, window: Sequence[Activity] | None
    ) -> Series | None:
        """The third factor of the whole trial, or of the window for an instant signal.

        For the read-out it is the output error, and for a hidden layer the answer of the signal, which is asked once
        per trial or per window.
        """
        model, layer = self.trial.model, self.trial.model.network.layers[index]
        if layer.role == "readout" and not (model.signal is not None and model.signal.teaches_readout):
            if self.output is None:
                return None
            if model.counts:  # every spike of the trial counts as one
                return Series(self.output.of_neurons(model.per_class).m, True)
            return spread_in_time(self.output.m, layer.shape, self.trial.steps)
        if model.signal is None:
            return None
        if layer.name not in self.answers or self._asks_anew(index):
            self.answers[layer.name] = self._ask(index, carried, start, window)
        return self.answers[layer.name].m.get(phase)

    def _ask(
        self, index: int, carried: Carried | None, start: int = 0, window: Sequence[Activity] | None = None
    ) -> ThirdFactor:
        """Show the signal a layer, and store what changes in its state and the gradients of its parameters.

        Args:
            index: the index of the layer.
            carried: the error from the layers above; None if none of them has learned yet.
            start: first step of the window.
            window: activity of every layer in the window; None for the whole trial.

        Returns:
            The answer of the signal; m is (T, B, *shape) or constant (B, *shape), by phase.
        """
        model = self.trial.model
        signal, layer = model.teaching_signal, model.network.layers[index]
        error = None if self.output is None else self.output.m
        below = next((entry.source for entry in layer.inputs if not entry.connection.recurrent), NETWORK_INPUT)
        below = below if signal.reads_below else NETWORK_INPUT
        parameters = self.trial.learned.parameters
        purchase = Purchase(
            model, parameters, index, self.trial.labels,
            error if error is None or layer.role == "readout" else model.hidden_targets(error, error.ndim - 2), carried,
            self._answer,
        )  # fmt: skip
        view = View(
            layer=layer_shape(model, index, parameters),
            net=model.shape,
            last=index == len(model.network.hidden) - 1,
            steps=self.trial.steps,
            readout=layer.role == "readout",
            summary=self._summary(index),
            source={} if below == NETWORK_INPUT else self._summary(below),
            every=self._every(index, signal.every, window),
            source_every={} if below == NETWORK_INPUT else self._every(below, signal.every, window),
            first=start,
            aside={} if index else {p: r.aside for p, r in self.records.items() if r.aside is not None},
            response=self._responses() if signal.reads_response else {},
            inner={p: r.activity[index].inner for p, r in self.records.items() if r.activity},
            scored=self.trial.model.last_steps,
            gain=next((r.activity[index].gain for r in self.records.values() if r.activity), None),
            **purchase.goods,
        )
        answer = third_factor(model, parameters, self.state, view)
        answer = answer._replace(m=self._of_all_samples(answer.m))
        self.state = {**self.state, **answer.state}
        for name, g in answer.gradients.items():
            before = self.gradients.get(name)
            self.gradients[name] = g / self.samples if before is None else before + g / self.samples
        return answer

    def _summary(self, index: int) -> dict[str, Tensor]:
        """The variable that the signal reads of a layer, averaged over time, (R, *shape) by phase."""
        name = self.trial.model.network.layers[index].name
        return {p: per_step(r.summary[name], self.trial.steps) for p, r in self.records.items() if name in r.summary}

    def _responses(self) -> dict[str, Tensor]:
        rule, steps = self.trial.model.rule, self.trial.steps
        outputs = {p: r.output for p, r in self.records.items() if rule.phase(p).linear}
        return {p: self._heard(per_step(output, steps)) for p, output in outputs.items() if output is not None}

    def _answer(self, name: str, noise: Tensor) -> Tensor:
        """The response to noise (R, *pre): the graded output of a layer, or the current of synapses with given
        weights.
        """
        weights = self.trial.forward.get(name)
        if weights is not None and weights.ndim == 1:  # for neurons that only read themselves
            return self._heard(noise * weights)
        if weights is not None:
            return self._heard(noise.flatten(1) @ weights.flatten(1).T)
        layer = next(layer for layer in self.trial.model.network.layers if layer.name == name)
        entry = layer.inputs[0]
        current = entry.connection.current(self.trial.forward[layer.weight_name(entry)], noise)
        return self._heard(layer.neuron.primitive(current))

    def _heard(self, response: Tensor) -> Tensor:
        return response if self.trial.probe is None else self.trial.probe.answered(response)

    def _every(self, index: int, what: Every | None, window: Sequence[Activity] | None) -> dict[str, Tensor]:
        """The variable that the signal reads of a layer at every step, (T, B, *shape) by phase; empty for none."""
        if what is None:
            return {}
        activities = {p: r.activity[index] for p, r in self.records.items() if r.activity}
        if window is not None and self._asks_anew(index):
            activities = {"input": window[index]}
        return {p: (a.S if what == "spikes" else a.v).over_time(a.steps) for p, a in activities.items()}

    def visit_silent_layers(self) -> None:
        """Show the signal the layers whose texts read no third factor, so that its own read-outs and averages still
        learn.
        """
        signal = self.trial.model.signal
        if signal is None or "above" in signal.needs:
            return
        for index in range(len(self.trial.model.network.hidden)):
            self.visit(index)

    def visit(self, index: int) -> None:
        """Show the signal one layer whose texts read no third factor."""
        name = self.trial.model.network.layers[index].name
        if name not in self.answers:
            self.answers[name] = self._ask(index, None)


def _where_taught(m: Series, teaches: Tensor, start: int, steps: int) -> Series:
    """Third factors that are 0 at those of some steps that do not teach."""
    values = m.over_time(steps)
    here = teaches[start : start + steps].to(values)
    return Series(values * here.reshape(-1, *(1 for _ in values.shape[1:])), False)
