"""Learning without update locking: layer i works on batch k while layer i + 1 works on batch k - 1.

Each layer is a stage. A batch goes from stage to stage as a `Parcel`; a layer runs every phase of it, learns, is
changed at once, and hands over the spikes it sent before its change. So a layer has changed before the one above it has
seen the batch, and all numbers are those of the layers one after the other (schedule `by_layer`): what a layer computes
depends on its own past and on what the layers below sent it, and on nothing else. A rule for which that is not true
is refused. Source: Kohan, Rietman & Siegelmann 2023 (layers learn in parallel, without update locking).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from torch import Tensor

from neurorules.contracts.series import Series, per_step
from neurorules.contracts.signal import SignalState
from neurorules.contracts.view import NEEDS
from neurorules.language.errors import UserError
from neurorules.network.layer import Masks
from neurorules.network.model import Learned, Model
from neurorules.torch_path.forward.run_layer import Activity, Carry
from neurorules.torch_path.process.session import own_thread
from neurorules.torch_path.trial.learn import gradients_of, learn_one, moved
from neurorules.torch_path.trial.teacher import Teacher
from neurorules.torch_path.trial.trial import PhaseRecord, Trial, add_sums, class_scores
from neurorules.torch_path.update.local_view import Gathered
from neurorules.torch_path.update.output import compare_output

LOCKING = (
    "output_error", "above", "weight_transport", "weight_sign", "second_pass", "reverse_circuit", "noise_phase",
)  # fmt: skip
"""Needs of a signal that are met only once the batch has been in the layers above."""


@dataclass
class Parcel:
    """One batch on its way through the layers.

    Args:
        drive: samples.
        steps: T.
        labels: (B,).
        masks: dropout masks.
        fraction: of the learning rate, when this batch is learned.
        signal: what the signal noted when it saw the batch.
        records: by phase, what the layers so far did; currents and inputs of the layer at work alone.
        spikes: by layer, spikes a sample.
        scores: (B, classes), once known.
    """

    drive: Series
    steps: int
    labels: Tensor
    masks: Masks
    fraction: float
    signal: SignalState
    records: dict[str, PhaseRecord] = field(default_factory=dict)
    spikes: dict[str, Tensor] = field(default_factory=dict)
    scores: Tensor | None = None

    def copy(self) -> Parcel:
        """The same batch with records of its own; a stage that fails leaves this one as it was."""
        own = {
            phase: replace(
                record, summary=dict(record.summary), psi=dict(record.psi), sent=dict(record.sent), currents={}, pre={}
            )
            for phase, record in self.records.items()
        }
        return replace(self, records=own, spikes=dict(self.spikes))


class Stage(NamedTuple):
    """What one layer found: the batch as it goes on, the layer's gradients, and everything learned, with its own
    averages and signal state moved."""

    parcel: Parcel
    gradients: dict[str, Tensor]
    learned: Learned


def check_pipelined(model: Model, hardware: bool = False) -> None:
    """Whether every layer can learn before the layers above have seen the batch.

    Raises:
        UserError: something locks them; it is named.
    """
    rule, signal = model.rule, model.signal
    locked = [NEEDS[need] for need in LOCKING if signal is not None and need in signal.needs]
    if signal is not None and signal.teaches_readout:
        locked.append("its own third factor for the read-out, made before the layers'")
    locked += [f"the phase '{p.name}', which waits for a whole pass" for p in rule.phases if p.applies or p.linear]
    if hardware:
        locked.append("a hardware model, whose state all layers share")
    if locked:
        raise UserError(
            f"rule '{rule.name}' cannot learn pipelined: its layers wait for {locked[0]}. "
            f"Use --schedule by_layer, or a rule that is local in space: sigprop, local_readout, drtp"
        )


def run_stage(model: Model, learned: Learned, index: int, parcel: Parcel) -> Stage:
    """Run one layer on a batch, in every phase, and evaluate its texts; nothing is changed.

    Args:
        model: network, rule, signal.
        learned: parameters and state as they are.
        index: of the layer.
        parcel: has been in all layers below.
    """
    parcel = parcel.copy()
    model = model.bound(learned.parameters)
    layer = model.network.layers[index]
    state = {**learned.signal, **parcel.signal}
    trial = Trial(
        model, replace(learned, signal=state), parcel.drive, parcel.steps, parcel.steps, model.told(parcel.labels),
        parcel.masks,
    )  # fmt: skip
    for phase in model.rule.phases:
        if index == 0:
            parcel.records[phase.name] = PhaseRecord(trial.phase_drive(phase, None))
        record = parcel.records[phase.name]
        activity, _ = trial.run(phase, record.drive, index, record.activity, Carry(), 0, parcel.steps, training=True)
        add_sums(record, layer, activity)
        record.activity = [*record.activity, activity]
    teacher = _teacher(trial, parcel, layer.role == "readout", state)
    for phase in model.rule.phases:
        record = parcel.records[phase.name]
        m = teacher.third_factor(index, phase.name, None) if model.texts_of(phase.name) else None
        if m is not None or not model.reads_m(layer.role, phase.name):
            learn_one(teacher, phase, record, index, record.activity[index], m, Carry(), True)
    if model.signal is not None and layer.role == "hidden":
        teacher.visit(index)
    _hand_over(trial, parcel, index)
    after = moved(teacher, learned)
    kept = {name: value for name, value in after.signal.items() if name not in parcel.signal}
    return Stage(parcel, gradients_of(teacher), replace(after, signal=kept))


def _teacher(trial: Trial, parcel: Parcel, readout: bool, state: SignalState) -> Teacher:
    output = None
    if readout:
        summed = parcel.records[trial.model.rule.error_phase].output
        assert summed is not None
        output = compare_output(trial.model.rule, per_step(summed, trial.steps), parcel.labels)
    return Teacher(trial, parcel.records, output, dict(state), Gathered(), len(parcel.labels))


def _hand_over(trial: Trial, parcel: Parcel, index: int) -> None:
    """Note what the batch's metrics need, and leave what only this layer needed behind."""
    network = trial.model.network
    layer, last = network.layers[index], index == len(network.hidden) - 1
    if layer.role == "hidden":
        spikes = parcel.records["input"].activity[index].S
        parcel.spikes[layer.name] = spikes.total(parcel.steps).sum() / len(parcel.labels)
    by_readout = trial.model.rule.predict == "readout" or trial.model.signal is None
    if layer.role == "readout" if by_readout else last:
        parcel.scores = class_scores(trial.model, trial.learned, parcel.records, parcel.steps)
    for record in parcel.records.values():
        record.activity[index] = _light(record.activity[index])


def _light(activity: Activity) -> Activity:
    """What layers above may read of a layer: its spikes and membranes."""
    return replace(activity, sources={}, pre={}, pre_mean={}, current=None, moments=None, summary=None)


class Pipe:
    """The stages and the batches between them.

    Args:
        model: network, rule, signal.
        threads: whether the stages of a tick run beside each other, one thread each.
        hardware: whether the network learns under a hardware model.

    Raises:
        UserError: a rule whose layers wait for each other.
    """

    def __init__(self, model: Model, threads: bool = False, hardware: bool = False) -> None:
        check_pipelined(model, hardware)
        self.model = model
        self.slots: list[Parcel | None] = [None] * len(model.network.layers)
        self.pool = ThreadPoolExecutor(len(self.slots), "stage") if threads else None

    @property
    def under_way(self) -> int:
        """Batches between the first layer and the end."""
        return sum(parcel is not None for parcel in self.slots)

    def check_empty(self) -> None:
        """Whether all layers have learned the same batches.

        Raises:
            UserError: batches are under way.
        """
        if self.under_way:
            raise UserError(
                f"{self.under_way} batches are still under way, and layers have learned different numbers of them. "
                f"Call flush() first, or discard() to forget them"
            )

    def discard(self) -> int:
        """Forget the batches under way; their number."""
        under_way, self.slots = self.under_way, [None] * len(self.slots)
        return under_way

    def work(self, learned: Learned, slots: Sequence[Parcel | None]) -> list[Stage]:
        """Every stage works on the batch that stands before it, at once: what each found, the last layer first."""
        busy = [(index, parcel) for index, parcel in enumerate(slots) if parcel is not None][::-1]

        def one(index: int, parcel: Parcel) -> Stage:
            with own_thread():
                return run_stage(self.model, learned, index, parcel)

        if self.pool is None or len(busy) == 1:
            return [one(*job) for job in busy]
        futures = [self.pool.submit(one, *job) for job in busy]
        wait(futures)  # also those beside one that failed: nobody works on what is being put back
        return [future.result() for future in futures]

    def move(self, slots: Sequence[Parcel | None], stages: Sequence[Stage]) -> Parcel | None:
        """Every batch goes on to the next layer; the one that leaves the last layer returns."""
        done = iter(stages[::-1])
        behind = [None if parcel is None else next(done).parcel for parcel in slots]
        self.slots = [None, *behind[:-1]]
        return behind[-1]


def merged(before: Learned, found: list[Stage]) -> Learned:
    """Everything learned after a tick: what each stage has moved, which is its layer's own and nobody else's."""
    after = replace(before, current=dict(before.current), pre=dict(before.pre), update=dict(before.update))
    after.signal = dict(before.signal)
    for stage in found:
        for name in ("current", "pre", "update", "signal"):
            _take(getattr(after, name), getattr(before, name), getattr(stage.learned, name))
    return after


def _take(into: dict[str, Any], before: Mapping[str, Any], found: Mapping[str, Any]) -> None:
    into.update({name: value for name, value in found.items() if before.get(name) is not value})
