"""One batch on one model: its phases run window by window, and what is summed over them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from torch import Tensor

from neurorules.language.rules import Phase
from neurorules.normalisations._shared import over_rows
from neurorules.series import Series
from neurorules.signals._shared import PhaseDrive
from neurorules.torch_path.layer import NETWORK_INPUT, Layer, Masks
from neurorules.torch_path.model import Learned, Model
from neurorules.torch_path.simulate import Activity, Carry, run_layer


@dataclass
class PhaseRecord:
    """Sums over one phase's windows, and its last window's activity.

    Args:
        summary: by layer, time sum of what the signal reads.
        output: time sum of the read-out's own, (rows, classes).
        pre: by "layer.input", mean of what a centred input brought, times steps.
        currents: by layer, (mean, mean square) of the raw current over rows, times steps.
        activity: of the last window, by layer.
        drive: what drove it.
    """

    drive: PhaseDrive
    summary: dict[str, Tensor] = field(default_factory=dict)
    output: Tensor | None = None
    currents: dict[str, tuple[Tensor, Tensor]] = field(default_factory=dict)
    pre: dict[str, Tensor] = field(default_factory=dict)
    activity: list[Activity] = field(default_factory=list)


@dataclass(frozen=True)
class Trial:
    """One batch on one model.

    Args:
        model: network, rule, signal.
        learned: parameters and state as they are.
        drive: the samples, (T, B, *input) or constant (B, *input).
        steps: T.
        window: steps at a time, T for `by_layer`, 1 for `by_step`.
        labels: (B,) class indices; None at inference.
        masks: dropout masks.
    """

    model: Model
    learned: Learned
    drive: Series
    steps: int
    window: int
    labels: Tensor | None
    masks: Masks

    def phase_drive(self, phase: Phase, output_error: Tensor | None) -> PhaseDrive:
        """What drives a phase."""
        if phase.name == "input" or self.model.signal is None:
            return PhaseDrive(self.drive)
        return self.model.signal.drive(
            phase.name, self.learned.signal, self.learned.parameters, self.model.shape, self.drive, output_error,
            self.labels,
        )  # fmt: skip

    def windows(self, phase: Phase, drive: PhaseDrive, training: bool) -> Iterator[tuple[int, list[Activity]]]:
        """Run one phase window by window: (first step, activity of each layer)."""
        carries = [Carry() for _ in self.model.network.layers]
        for start in range(0, self.steps, self.window):
            stop = min(start + self.window, self.steps)
            done: list[Activity] = []
            for index in range(len(carries)):
                activity, carries[index] = self.run(phase, drive, index, done, carries[index], start, stop, training)
                done.append(activity)
            yield start, done

    def run(
        self, phase: Phase, drive: PhaseDrive, index: int, done: list[Activity], carry: Carry, start: int, stop: int,
        training: bool,
    ) -> tuple[Activity, Carry]:  # fmt: skip
        """Run one layer over the steps from `start` to `stop` of a phase; `done` holds the layers before it."""
        layer, signal = self.model.network.layers[index], self.model.signal
        # Masks are the samples' own: class prototypes, which are other rows, run without dropout.
        masks = self.masks if training and (phase.name == "input" or phase.replay) else None
        sources, injected = self._sources(layer, index, drive, done, start, stop)
        name = self.model.phase_statistics(phase.name, layer.name)
        return run_layer(
            layer, self.learned.parameters, self.learned.current.get(name), sources, stop - start,
            pre_mean=self._pre_means(layer, name, sources), carry=carry,
            injected=injected, offset=drive.offset if index == 0 else None,
            masks=masks, training=training,
            summary=signal.summary if signal is not None and layer.role == "hidden" else None,
        )  # fmt: skip

    def _pre_means(self, layer: Layer, name: str, sources: dict[str, Series]) -> dict[str, Tensor]:
        return {
            entry: self.learned.pre[f"{name}.{entry}"].value
            for entry in sources
            if layer.centres_inputs and f"{name}.{entry}" in self.learned.pre
        }

    def _sources(
        self, layer: Layer, index: int, drive: PhaseDrive, done: list[Activity], start: int, stop: int
    ) -> tuple[dict[str, Series], Series | None]:
        sources: dict[str, Series] = {}
        for entry in layer.inputs:
            if entry.connection.recurrent:
                continue
            if entry.source != NETWORK_INPUT:
                sources[entry.name] = done[entry.source].S
            elif drive.input is not None:
                sources[entry.name] = drive.input.window(start, stop)
        injected = None if index or drive.injected is None else Series(drive.injected, True)
        return sources, injected


def observe_phase(trial: Trial, phase: Phase, output_error: Tensor | None, training: bool) -> PhaseRecord:
    """Run a phase once, and keep sums over time only (and the activity where one window is all)."""
    record = PhaseRecord(trial.phase_drive(phase, output_error))
    for _, activities in trial.windows(phase, record.drive, training):
        for layer, activity in zip(trial.model.network.layers, activities, strict=True):
            add_sums(record, layer, activity)
        record.activity = activities
    return record


def add_sums(record: PhaseRecord, layer: Layer, activity: Activity) -> None:
    """Add one layer's window to the sums over time that a phase keeps."""

    def add(into: dict[str, Tensor], value: Tensor) -> None:
        into[layer.name] = into[layer.name] + value if layer.name in into else value

    if activity.moments is not None:
        mean, square = activity.moments
        before = record.currents.get(layer.name)
        record.currents[layer.name] = (mean, square) if before is None else (before[0] + mean, before[1] + square)
    if layer.centres_inputs:
        for entry in layer.inputs:
            if entry.name in activity.pre and not entry.connection.recurrent:
                add_mean = over_rows(activity.pre[entry.name].total(activity.steps))
                key = f"{layer.name}.{entry.name}"
                record.pre[key] = record.pre[key] + add_mean if key in record.pre else add_mean
    if layer.role == "readout":
        total = (activity.v if layer.neuron.spiking else activity.S).total(activity.steps)
        record.output = total if record.output is None else record.output + total
    elif activity.summary is not None:
        add(record.summary, activity.summary)


def class_scores(model: Model, learned: Learned, records: dict[str, PhaseRecord], steps: int) -> Tensor:
    """(B, classes): from the read-out, or from the signal where the rule predicts without one."""
    if model.rule.predict == "readout" or model.signal is None:
        output = records[model.rule.score_phase].output
        assert output is not None
        return output / steps
    last = model.network.hidden[-1]
    summary = {phase: record.summary[last.name] / steps for phase, record in records.items() if record.summary}
    return model.signal.scores(learned.signal, learned.parameters, model.shape.layers[-2], summary)
