"""One batch on one model: its phases run window by window, and what is summed over them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property, partial

from torch import Tensor

from neurorules.contracts.normalisation import over_rows
from neurorules.contracts.phase_drive import PhaseDrive
from neurorules.contracts.series import Series, per_step
from neurorules.language.rules import Phase
from neurorules.network.layer import NETWORK_INPUT, Layer, Masks, kept_of
from neurorules.network.model import Learned, Model
from neurorules.network.network import Parameters
from neurorules.torch_path.forward.current import Current
from neurorules.torch_path.forward.run_layer import Activity, Carry, run_layer
from neurorules.torch_path.forward.tangent import Reference, psi_total, run_tangent
from neurorules.torch_path.trial import allowance
from neurorules.torch_path.trial.probe import Probe


@dataclass
class PhaseRecord:
    """Sums over one phase's windows, and its last window's activity.

    Args:
        summary: by layer, time sum of what the signal reads.
        output: time sum of the read-out's own, (rows, classes).
        pre: by "layer.input", mean of what a centred input brought, times steps.
        currents: by layer, (mean, mean square) of the raw current over rows, times steps.
        activity: of the last window, by layer; empty for a linear phase.
        drive: what drove it.
        psi, sent: by layer, time sums of pseudo-derivative and output, where a linear phase reads them.
        aside: what an offset added to the first layer's normalised current, (rows, *shape).
    """

    drive: PhaseDrive
    summary: dict[str, Tensor] = field(default_factory=dict)
    output: Tensor | None = None
    currents: dict[str, tuple[Tensor, Tensor]] = field(default_factory=dict)
    pre: dict[str, Tensor] = field(default_factory=dict)
    activity: list[Activity] = field(default_factory=list)
    psi: dict[str, Tensor] = field(default_factory=dict)
    sent: dict[str, Tensor] = field(default_factory=dict)
    aside: Tensor | None = None


@dataclass(frozen=True)
class Trial:
    """One batch on one model.

    Args:
        model: network, rule, signal.
        learned: parameters and state as they are.
        drive: the samples, (T, B, *input) or constant (B, *input).
        steps: T.
        window: steps at a time, T for `by_layer`, 1 for `by_step`.
        labels: (B,) class indices that hidden layers are told; None at inference.
        masks: dropout masks.
        applied: whether a phase has changed the parameters since the phase "input" ran.
        probe: what an audit holds or changes between the passes and learning; it needs a window of all steps.
    """

    model: Model
    learned: Learned
    drive: Series
    steps: int
    window: int
    labels: Tensor | None
    masks: Masks
    applied: bool = False
    probe: Probe | None = None

    @property
    def forward(self) -> Parameters:
        """The parameters that the passes compute with; learning reads those that are `learned`."""
        return self.learned.parameters if self.probe is None else self.probe.forward(self.learned.parameters)

    @cached_property
    def linearised(self) -> int:
        """Layers whose pseudo-derivative a linear phase reads, from the first on."""
        if self.model.signal is None or not any(phase.linear for phase in self.model.rule.phases):
            return 0
        return len(self.model.network.hidden) - (not self.model.signal.reads_response)

    def phase_drive(self, phase: Phase, output_error: Tensor | None) -> PhaseDrive:
        """What drives a phase."""
        if phase.name == "input" or self.model.signal is None:
            return PhaseDrive(self.drive)
        drive = allowance.drive(self.model, self.learned, phase.name, self.drive, output_error, self.labels)
        return drive if self.probe is None else self.probe.drive(phase.name, drive)

    def windows(
        self, phase: Phase, drive: PhaseDrive, training: bool, known: Current | None = None
    ) -> Iterator[tuple[int, list[Activity]]]:
        """Run one phase window by window: (first step, activity of each layer).

        Args:
            known: what the first layer's sources brought before, where they and its weights are the same.
        """
        carries = [Carry() for _ in self.model.network.layers]
        for start in range(0, self.steps, self.window):
            stop = min(start + self.window, self.steps)
            done: list[Activity] = []
            for index in range(len(carries)):
                activity, carries[index] = self.run(
                    phase, drive, index, done, carries[index], start, stop, training, None if index else known
                )
                done.append(activity)
            if self.probe is not None:
                done = self.probe.recorded(phase.name, done, partial(self._again, phase, drive, start, stop, training))
            yield start, done

    def _again(
        self, phase: Phase, drive: PhaseDrive, start: int, stop: int, training: bool,
        index: int, done: list[Activity], added: Tensor | None,
    ) -> Activity:  # fmt: skip
        shift = None if added is None else Series(added, True)
        return self.run(phase, drive, index, done, Carry(), start, stop, training, None, shift)[0]

    def run(
        self, phase: Phase, drive: PhaseDrive, index: int, done: list[Activity], carry: Carry, start: int, stop: int,
        training: bool, known: Current | None = None, added: Series | None = None,
    ) -> tuple[Activity, Carry]:  # fmt: skip
        """Run one layer over the steps from `start` to `stop` of a phase; `done` holds the layers before it.

        `added` is a current that joins what is injected.
        """
        layer, signal = self.model.network.layers[index], self.model.signal
        # Masks are the samples' own: class prototypes, which are other rows, run without dropout.
        masks = self.masks if training and (phase.name == "input" or phase.replay) else None
        sources, injected = self._sources(layer, index, drive, done, start, stop)
        if added is not None:
            injected = added if injected is None else Series(injected.values + added.values, True)
        name = self.model.phase_statistics(phase.name, layer.name)
        activity, after = run_layer(
            layer, self.forward, self.learned.current.get(name), sources, stop - start,
            pre_mean=self._pre_means(layer, name, sources), carry=carry,
            injected=injected, offset=None if index else drive.offset, known=known,
            masks=masks, training=training,
            summary=signal.summary if signal is not None and layer.role == "hidden" else None,
        )  # fmt: skip
        if masks:
            activity.kept = kept_of(self.model.network.layers, index, masks)
        return activity, after

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


def observe_phase(
    trial: Trial, phase: Phase, output_error: Tensor | None, training: bool, before: PhaseRecord | None = None
) -> PhaseRecord:
    """Run a phase once, and keep sums over time only (and the activity where one window is all).

    Args:
        trial: the batch.
        phase: what runs.
        output_error: (B, classes), where a phase before made it.
        training: whether masks apply, and running averages are to move.
        before: the phase "input" of this trial, computed with the same weights.
    """
    record = PhaseRecord(trial.phase_drive(phase, output_error))
    if phase.linear:
        assert before is not None
        return _observe_tangent(trial, record, before)
    for _, activities in trial.windows(phase, record.drive, training, _known(trial, phase, record.drive, before)):
        for index, (layer, activity) in enumerate(zip(trial.model.network.layers, activities, strict=True)):
            add_sums(record, layer, activity)
            if phase.name == "input" and index < trial.linearised:
                _add_to(record.psi, layer.name, psi_total(layer, activity))
                _add_to(record.sent, layer.name, activity.S.total(activity.steps))
        record.activity = activities
    first = record.activity[0]
    record.aside = first.aside if first.aside is None or first.gain is None else first.aside * first.gain
    return record


def _known(trial: Trial, phase: Phase, drive: PhaseDrive, before: PhaseRecord | None) -> Current | None:
    """The first layer's current of the phase "input", where a replay would only compute it again."""
    if (
        before is None
        or trial.applied
        or not phase.replay
        or trial.window < trial.steps
        or drive.input is not before.drive.input
    ):
        return None
    first = trial.model.network.layers[0]
    shared = trial.model.phase_statistics(phase.name, first.name) == f"input.{first.name}"
    return before.activity[0].current if shared else None


def _observe_tangent(trial: Trial, record: PhaseRecord, before: PhaseRecord) -> PhaseRecord:
    """A linear phase: one constant current a layer, from sums that the phase "input" left."""
    network, steps = trial.model.network, trial.steps
    response = trial.model.signal is not None and trial.model.signal.reads_response
    layers = network.layers if response else network.hidden
    references = [
        Reference(
            per_step(before.psi[layer.name], steps) if layer.name in before.psi else None,
            before.sent.get(layer.name, layer_activity.v.values),
            layer_activity.gain,
        )
        for layer, layer_activity in zip(network.layers, before.activity, strict=True)
    ]
    found = run_tangent(layers, trial.forward, references, record.drive, trial.masks)
    for layer, current in zip(layers, found, strict=True):
        if layer.role == "readout":
            record.output = current * steps
        else:
            record.summary[layer.name] = current * steps
    record.aside = found[0]
    return record


def _add_to(into: dict[str, Tensor], name: str, value: Tensor) -> None:
    into[name] = into[name] + value if name in into else value


def add_sums(record: PhaseRecord, layer: Layer, activity: Activity) -> None:
    """Add one layer's window to the sums over time that a phase keeps."""
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
        _add_to(record.summary, layer.name, activity.summary)


def class_scores(model: Model, learned: Learned, records: dict[str, PhaseRecord], steps: int) -> Tensor:
    """(B, classes): from the read-out, or from the signal where the rule predicts without one."""
    if model.rule.predict == "readout" or model.signal is None:
        output = records[model.rule.score_phase].output
        assert output is not None
        return per_step(output, steps)
    last = model.network.hidden[-1]
    summary = {phase: per_step(record.summary[last.name], steps) for phase, record in records.items() if record.summary}
    return allowance.scores(model, learned, summary)
