"""One batch on one model: its phases run window by window, with their sums over time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property, partial

from torch import Tensor

from neurorules.contracts.device_hooks import Place
from neurorules.contracts.phase_drive import PhaseDrive
from neurorules.contracts.series import Series, per_step
from neurorules.language.errors import UserError
from neurorules.language.rules import Phase
from neurorules.network.layer import NETWORK_INPUT, Layer, Masks, dropout_mask_of
from neurorules.network.model import Learned, Model
from neurorules.network.network import Parameters
from neurorules.network.transmission import transmitted
from neurorules.torch_path.forward.drive import Current
from neurorules.torch_path.forward.run_layer import Activity, Carry, run_layer
from neurorules.torch_path.forward.summed import run_summed
from neurorules.torch_path.forward.tangent import Reference, psi_total, run_tangent
from neurorules.torch_path.trial import allowance
from neurorules.torch_path.trial.phase_record import PhaseRecord, add_sums, add_to
from neurorules.torch_path.trial.probe import Probe
from neurorules.torch_path.trial.stored import reads
from neurorules.torch_path.update.spike_times import timed_gates


@dataclass(frozen=True)
class Trial:
    """One batch on one model, with B samples and T steps.

    Args:
        model: network, rule and signal.
        learned: current parameters and state.
        drive: the samples, (T, B, *input) or constant (B, *input).
        steps: T, >= 1.
        window: number of steps that run at once, 1 .. T: T for the schedule `by_layer`, 1 for `by_step`.
        labels: class indices (B,), or other targets, that hidden layers learn from; None if nothing is learned.
        masks: dropout masks of the trial.
        applied: whether a phase has changed the parameters since the phase "input" ran.
        probe: replaces values between the passes and learning, for an audit; it needs a window of all steps.
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
        """The parameters of the passes. Learning reads `learned.parameters`, which a probe can make different."""
        return self.learned.parameters if self.probe is None else self.probe.forward(self.learned.parameters)

    @cached_property
    def linearised(self) -> int:
        """Number of layers, from the first on, whose pseudo-derivative a linear phase reads."""
        if self.model.signal is None or not any(phase.linear for phase in self.model.rule.phases):
            return 0
        return len(self.model.network.hidden) - (not self.model.signal.reads_response)

    def phase_drive(self, phase: Phase, output_error: Tensor | None) -> PhaseDrive:
        """Build the drive of a phase: the samples, or the drive that the signal computes from them.

        Args:
            phase: the phase to run.
            output_error: derivative of the loss by the output, (B, C); None if no pass has computed one.

        Returns:
            Input, offset and injected current of the phase.

        Raises:
            LookupError: the signal drives no such phase.
            UserError: a text belongs to a phase that repeats its samples.
        """
        if phase.name == "input" or self.model.signal is None:
            return PhaseDrive(self.drive)
        drive = allowance.drive(self.model, self.learned, phase.name, self.drive, output_error, self.labels)
        if drive.repeats > 1 and self.model.texts_of(phase.name):
            raise UserError(
                f"phase '{phase.name}' of rule '{self.model.rule.name}' repeats its samples, so that no text can learn "
                f"from it. Give the text another phase, or have the signal's drive repeat none"
            )
        return drive if self.probe is None else self.probe.drive(phase.name, drive)

    def windows(
        self, phase: Phase, drive: PhaseDrive, training: bool, first_current: Current | None = None
    ) -> Iterator[tuple[int, list[Activity]]]:
        """Run all layers through one phase, window by window.

        Args:
            phase: the phase to run.
            drive: the drive of the phase.
            training: whether dropout and batch statistics apply.
            first_current: the current of the first layer if it has been computed before from the same sources and
                weights; otherwise None.

        Returns:
            The first step of each window, and the activity of every layer in it, in order.
        """
        carries = [Carry() for _ in self.model.network.layers]
        for start in range(0, self.steps, self.window):
            stop = min(start + self.window, self.steps)
            activities: list[Activity] = []
            for index in range(len(carries)):
                activity, carries[index] = self.run(
                    phase, drive, index, activities, carries[index], start, stop, training,
                    None if index else first_current,
                )  # fmt: skip
                activities.append(activity)
            if self.probe is not None:
                activities = self.probe.recorded(
                    phase.name, activities, partial(self._again, phase, drive, start, stop, training)
                )
            yield start, activities

    def _again(
        self, phase: Phase, drive: PhaseDrive, start: int, stop: int, training: bool,
        index: int, below: list[Activity], added: Tensor | None,
    ) -> Activity:  # fmt: skip
        shift = None if added is None else Series(added, True)
        return self.run(phase, drive, index, below, Carry(), start, stop, training, None, shift)[0]

    def run(
        self, phase: Phase, drive: PhaseDrive, index: int, below: list[Activity], carry: Carry, start: int, stop: int,
        training: bool, first_current: Current | None = None, added: Series | None = None,
    ) -> tuple[Activity, Carry]:  # fmt: skip
        """Run one layer over some steps of a phase.

        Args:
            phase: the phase to run.
            drive: the drive of the phase.
            index: the index of the layer.
            below: the activity of the layers before it, in the same steps.
            carry: the layer's state before the first of these steps.
            start: first step, >= 0.
            stop: the step after the last one, <= T.
            training: whether dropout and batch statistics apply.
            first_current: the current of the first layer if it need not be computed again; otherwise None.
            added: a constant current (R, *shape) that is added to the injected current; None for none.

        Returns:
            The layer's activity over the steps, and its state after them.
        """
        layer, signal = self.model.network.layers[index], self.model.signal
        # Masks belong to samples: other rows, such as class prototypes, run without dropout.
        masks = self.masks if training and (phase.name == "input" or phase.replay) else None
        sources, injected = self._sources(layer, index, drive, below, start, stop)
        if added is not None:
            injected = added if injected is None else Series(injected.values + added.values, True)
        name = self.model.statistics_names[phase.name, layer.name]
        parameters = self.forward
        if self.model.rule.transmits is not None:
            parameters = transmitted(self.model.rule, (layer,), parameters)
        needs = None if self.probe else partial(reads, self.model, phase.name, layer, training)
        if index and injected is None and needs is not None:
            summed = run_summed(layer, parameters, sources, stop - start, needs)
            if summed is not None:
                return summed, Carry(traces=carry.traces)
        activity, after = run_layer(
            layer, parameters, self.learned.current.get(name), sources, stop - start,
            pre_mean=self._pre_means(layer, name, sources), carry=carry,
            injected=injected, offset=None if index else drive.offset, raw=first_current,
            masks=masks, training=training,
            summary=signal.summary if signal is not None and layer.role == "hidden" else None,
            chip=self.model.chip, place=Place(phase.name, layer.name, start), repeats=1 if index else drive.repeats,
            needs=needs,
        )  # fmt: skip
        if masks:
            activity.dropout_mask = dropout_mask_of(self.model.network.layers, index, masks)
        if training and layer.role == "hidden" and signal is not None and signal.least_rise is not None:
            activity.gates = timed_gates(layer.neuron, activity.v.values, activity.S.values, signal.least_rise)
        return activity, after

    def _pre_means(self, layer: Layer, name: str, sources: dict[str, Series]) -> dict[str, Tensor]:
        """Running means to subtract from the inputs of a layer, (*pre) by input; `name` is that of the statistics."""
        return {
            entry: self.learned.pre[f"{name}.{entry}"].value
            for entry in sources
            if layer.centres_inputs and f"{name}.{entry}" in self.learned.pre
        }

    def _sources(
        self, layer: Layer, index: int, drive: PhaseDrive, below: list[Activity], start: int, stop: int
    ) -> tuple[dict[str, Series], Series | None]:
        """The drive of a layer in a window: spikes by input, (T, B, *source) or constant, and the injected current."""
        sources: dict[str, Series] = {}
        for entry in layer.inputs:
            if entry.connection.recurrent:
                continue
            if entry.source != NETWORK_INPUT:
                sources[entry.name] = below[entry.source].S
            elif drive.input is not None:
                arrived = drive.input.window(start, stop)  # the first layer's current is repeated, and not its input
                sources[entry.name] = arrived.repeated(drive.repeats) if index else arrived
        injected = None if index or drive.injected is None else Series(drive.injected, True)
        return sources, injected


def observe_phase(
    trial: Trial, phase: Phase, output_error: Tensor | None, training: bool, before: PhaseRecord | None = None
) -> PhaseRecord:
    """Run one phase of a trial without learning. The result holds sums over time, and the activity of the last or only
    window.

    Args:
        trial: the batch.
        phase: the phase to run.
        output_error: derivative of the loss by the output, (B, C), if an earlier phase has computed it; otherwise None.
        training: whether dropout and batch statistics apply.
        before: the record of the phase "input" of this trial, which a linear phase needs.

    Returns:
        Sums and activity of the phase.

    Raises:
        LookupError: the signal drives no such phase, or the phase is linear and "input" has not run.
    """
    record = begun_record(trial, phase, output_error)
    if phase.linear:
        if before is None:
            raise LookupError(f"phase '{phase.name}' is linear around the phase 'input', which has not run yet")
        return _observe_tangent(trial, record, before)
    for _, activities in trial.windows(
        phase, record.drive, training, _current_before(trial, phase, record.drive, before)
    ):
        for index, (layer, activity) in enumerate(zip(trial.model.network.layers, activities, strict=True)):
            add_sums(record, layer, activity, trial.model.scores)
            if training and phase.name == "input" and layer.role == "hidden":
                add_to(record.spikes, layer.name, activity.S.total(activity.steps).sum())
            if phase.name == "input" and index < trial.linearised:
                add_to(record.psi, layer.name, psi_total(layer, activity))
                add_to(record.sent, layer.name, activity.S.total(activity.steps))
        record.activity = activities
    first = record.activity[0]
    record.aside = first.aside if first.aside is None or first.gain is None else first.aside * first.gain
    return record


def begun_record(trial: Trial, phase: Phase, output_error: Tensor | None) -> PhaseRecord:
    """The record of a phase before any layer has run in it.

    Args:
        trial: the batch.
        phase: the phase to run.
        output_error: as in `Trial.phase_drive`.

    Returns:
        A record with the phase's drive, which stores each step's output if steps have errors of their own.
    """
    drive = trial.phase_drive(phase, output_error)
    return PhaseRecord(drive, trial.steps, each_output=[] if trial.model.steps_apart else None)


def _current_before(trial: Trial, phase: Phase, drive: PhaseDrive, before: PhaseRecord | None) -> Current | None:
    """The first layer's current of the phase "input", which a replay would otherwise compute again."""
    if (
        before is None
        or trial.applied
        or not (phase.replay or not trial.masks)
        or trial.window < trial.steps
        or drive.input is not before.drive.input
    ):
        return None
    first = trial.model.network.layers[0]
    shared = trial.model.statistics_names[phase.name, first.name] == f"input.{first.name}"
    return before.activity[0].current if shared else None


def _observe_tangent(trial: Trial, record: PhaseRecord, before: PhaseRecord) -> PhaseRecord:
    """Run a linear phase: each layer has one constant current, computed from the sums of the phase "input"."""
    network, steps = trial.model.network, trial.steps
    response = trial.model.signal is not None and trial.model.signal.reads_response
    layers = network.layers if response else network.hidden
    references = [
        Reference(
            per_step(before.psi[layer.name], steps) if layer.name in before.psi else None,
            layer_activity.v.values if (sent := before.sent.get(layer.name)) is None else sent,
            layer_activity.gain,
        )
        for layer, layer_activity in zip(network.layers, before.activity, strict=True)
    ]
    currents = run_tangent(layers, trial.forward, references, record.drive, trial.masks)
    for layer, current in zip(layers, currents, strict=True):
        if layer.role == "readout":
            record.output = current * steps
        else:
            record.summary[layer.name] = current * steps
    record.aside = currents[0]
    return record
