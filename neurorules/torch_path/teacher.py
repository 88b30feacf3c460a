"""Between signal and texts: the third factor of each layer, and what a signal from above is handed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from torch import Tensor

from neurorules.series import Series
from neurorules.signals._shared import LayerShape, SignalState, ThirdFactor, View
from neurorules.torch_path.layer import carry_back
from neurorules.torch_path.local_view import Gathered
from neurorules.torch_path.simulate import Activity
from neurorules.torch_path.simulate_backwards import through_own_loop
from neurorules.torch_path.trial import PhaseRecord, Trial


@dataclass
class Teacher:
    """Asks the signal for each layer's third factor, once a trial, and keeps what it answers."""

    trial: Trial
    records: dict[str, PhaseRecord]
    error: Tensor
    state: SignalState
    gathered: Gathered
    samples: int
    gradients: dict[str, Tensor] = field(default_factory=dict)
    known: dict[str, ThirdFactor] = field(default_factory=dict)

    def third_factor(self, index: int, phase: str, above: Callable[..., Series] | None) -> Series | None:
        """m of one layer in one phase; None where the phase has none."""
        model, layer = self.trial.model, self.trial.model.network.layers[index]
        if layer.role == "readout":
            return Series(self.error / self.trial.steps, True) if phase == "input" else None
        if model.signal is None:
            return None
        if layer.name not in self.known:
            self.known[layer.name] = self._ask(index, above)
        return self.known[layer.name].m.get(phase)

    def _ask(self, index: int, above: Callable[..., Series] | None) -> ThirdFactor:
        model = self.trial.model
        signal, layer = model.signal, model.network.layers[index]
        assert signal is not None
        summary = {p: r.summary[layer.name] / self.trial.steps for p, r in self.records.items() if r.summary}
        view = View(
            layer=LayerShape(layer.name, layer.shape, layer.neuron, {}),
            last=index == len(model.network.hidden) - 1,
            steps=self.trial.steps,
            summary=summary,
            labels=self.trial.labels if "target" in signal.needs else None,
            output_error=self.error if "output_error" in signal.needs else None,
            above=above if "above" in signal.needs else None,
            weights=self.trial.learned.parameters if "weight_transport" in signal.needs else None,
        )
        answer = signal.third_factor(self.state, self.trial.learned.parameters, view)
        self.state = {**self.state, **answer.state}
        self.gradients |= {name: g / self.samples for name, g in answer.gradients.items()}
        return answer

    def visit_silent_layers(self) -> None:
        """Let the signal see layers whose texts never asked, so that its own read-outs and averages still move."""
        signal = self.trial.model.signal
        if signal is None or "above" in signal.needs:
            return
        for index, layer in enumerate(self.trial.model.network.hidden):
            if layer.name not in self.known:
                self.known[layer.name] = self._ask(index, None)


def above_of(
    trial: Trial, index: int, activities: list[Activity], handed: dict[int, Tensor | None]
) -> Callable[[Callable[[str], Tensor]], Series]:
    """What the layers above hand to layer `index`, as a function of the weights that carry it back.

    Args:
        trial: the trial under way.
        index: of the layer that asks.
        activities: of every layer in this window.
        handed: change of the raw current that each layer above asked for.
    """
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
