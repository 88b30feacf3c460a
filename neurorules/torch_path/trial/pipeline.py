"""Learning without update locking: layer i works on batch k while layer i + 1 works on batch k - 1.

Each layer is a stage. A batch goes from stage to stage as a `Parcel`; a layer runs every phase of it, learns, changes
at once, and passes on the spikes that it sent before its change. A layer has therefore changed before the layer above
has seen the batch, and all numbers equal those of the schedule `by_layer`, since a layer depends only on its own past
and on the spikes of the layers below. A rule for which that is not true is refused. Source: Kohan, Rietman & Siegelmann
2023 (layers learn in parallel, without update locking).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from torch import Tensor

from neurorules.contracts.series import Series
from neurorules.contracts.signal import SignalState
from neurorules.contracts.view import NEEDS
from neurorules.language.errors import UserError
from neurorules.network.layer import Masks
from neurorules.network.model import Learned, Model
from neurorules.torch_path.forward.run_layer import Activity, Carry
from neurorules.torch_path.process.session import own_thread
from neurorules.torch_path.trial.learn import gradients_of, learn_one
from neurorules.torch_path.trial.phase_record import class_scores, moved, output_of
from neurorules.torch_path.trial.third_factors import ThirdFactors
from neurorules.torch_path.trial.trial import PhaseRecord, Trial, add_sums, begun_record
from neurorules.torch_path.update.local_view import ChangeSums

LOCKING = (
    "output_error", "above", "weight_transport", "weight_sign", "second_pass", "reverse_circuit", "noise_phase",
)  # fmt: skip
"""The needs of a signal that are available only after the batch has been in the layers above."""


@dataclass
class Parcel:
    """One batch on its way through the layers.

    Args:
        drive: the samples, (T, B, *input) or constant (B, *input).
        steps: T.
        labels: class indices (B,), or the targets of another task.
        masks: dropout masks.
        fraction: the share of the learning rates for this batch.
        signal: the part of the signal's state that changed when it saw the batch.
        records: the records of the layers so far, by phase; currents and inputs are only those of the current layer.
        spikes: by hidden layer, number of spikes per sample.
        scores: (B, O) or (B, T, O); None before the layer that computes them has run.
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
        """Copy the batch with its records, so that a stage that fails does not change this one."""
        own = {
            phase: replace(
                record,
                summary=dict(record.summary),
                psi=dict(record.psi),
                sent=dict(record.sent),
                currents={},
                pre={},
                each_output=None if record.each_output is None else list(record.each_output),
            )
            for phase, record in self.records.items()
        }
        return replace(self, records=own, spikes=dict(self.spikes))


class Stage(NamedTuple):
    """The result of one layer's work on a batch.

    Args:
        parcel: the batch for the next stage.
        gradients: the gradients of the layer's parameters, by name.
        learned: everything learned, with this layer's averages and signal state updated.
    """

    parcel: Parcel
    gradients: dict[str, Tensor]
    learned: Learned


def check_pipelined(model: Model, hardware: bool = False) -> None:
    """Refuse a rule whose layers have to wait until the layers above have seen the batch.

    Args:
        model: network, rule and signal.
        hardware: whether the network learns under a hardware model.

    Raises:
        UserError: the layers have to wait; the message says for what.
    """
    rule, signal = model.rule, model.signal
    locked = [NEEDS[need] for need in LOCKING if signal is not None and need in signal.needs]
    if signal is not None and signal.teaches_readout:
        locked.append("its own third factor for the read-out, made before the layers'")
    locked += [f"the phase '{p.name}', which waits for a whole pass" for p in rule.phases if p.applies or p.linear]
    if rule.teaching < 1:
        locked.append("teaching steps at random, which are the same for all layers")
    if hardware:
        locked.append("a hardware model, whose state all layers share")
    if locked:
        raise UserError(
            f"rule '{rule.name}' cannot learn pipelined: its layers wait for {locked[0]}. "
            f"Use --schedule by_layer, or a rule that is local in space: sigprop, local_readout, drtp"
        )


def trial_of(model: Model, learned: Learned, parcel: Parcel) -> Trial:
    """The trial of a batch, by the state with which a layer learns from it.

    Args:
        model, learned, parcel: as in `run_stage`.

    Returns:
        The trial, in which no layer runs yet.
    """
    state = replace(learned, signal={**learned.signal, **parcel.signal})
    targets = model.hidden_targets(parcel.labels)
    bound = model.bound(learned.parameters)
    return Trial(bound, state, parcel.drive, parcel.steps, parcel.steps, targets, parcel.masks)


def run_stage(model: Model, learned: Learned, index: int, parcel: Parcel) -> Stage:
    """Run one layer on a batch, in every phase, and evaluate its texts. No argument is changed.

    Args:
        model: network, rule and signal.
        learned: current parameters and state.
        index: the index of the layer.
        parcel: the batch, which has passed all layers below.

    Returns:
        The batch for the next stage, the layer's gradients, and the state after the batch.
    """
    parcel = parcel.copy()
    trial = trial_of(model, learned, parcel)
    model, state = trial.model, trial.learned.signal
    layer = model.network.layers[index]
    for phase in model.rule.phases:
        if index == 0:
            parcel.records[phase.name] = begun_record(trial, phase, None)
        record = parcel.records[phase.name]
        activity, _ = trial.run(phase, record.drive, index, record.activity, Carry(), 0, parcel.steps, training=True)
        add_sums(record, layer, activity, trial.model.scores)
        record.activity = [*record.activity, activity]
    factors = _third_factors(trial, parcel, layer.role == "readout", state)
    for phase in model.rule.phases:
        record = parcel.records[phase.name]
        m = factors.third_factor(index, phase.name, None) if model.texts_of(phase.name) else None
        if m is not None or not model.learning[phase.name, layer.role].reads_m:
            learn_one(factors, phase, record, index, record.activity[index], m, Carry(), True)
    if model.signal is not None and layer.role == "hidden":
        factors.visit(index)
    _hand_over(trial, parcel, index)
    after = moved(model, learned, parcel.records, factors.sums, factors.state, factors.samples)
    own = {name: value for name, value in after.signal.items() if name not in parcel.signal}
    return Stage(parcel, gradients_of(factors), replace(after, signal=own))


def _third_factors(trial: Trial, parcel: Parcel, readout: bool, state: SignalState) -> ThirdFactors:
    output = None
    if readout:
        output = output_of(trial.model, parcel.records[trial.model.rule.error_phase], parcel.labels)
    return ThirdFactors(trial, parcel.records, output, dict(state), ChangeSums(), len(parcel.labels))


def _hand_over(trial: Trial, parcel: Parcel, index: int) -> None:
    """Store what the batch's metrics need, and drop what only this layer needed."""
    network = trial.model.network
    layer, last = network.layers[index], index == len(network.hidden) - 1
    if layer.role == "hidden":
        spikes = parcel.records["input"].activity[index].S
        parcel.spikes[layer.name] = spikes.total(parcel.steps).sum() / len(parcel.labels)
    by_readout = trial.model.rule.predict == "readout" or trial.model.signal is None
    if layer.role == "readout" if by_readout else last:
        parcel.scores = class_scores(trial.model, trial.learned, parcel.records)
    for record in parcel.records.values():
        record.activity[index] = _light(record.activity[index])


def _light(activity: Activity) -> Activity:
    """The part of a layer's activity that layers above may read: its spikes and membranes."""
    return replace(activity, sources={}, pre={}, pre_mean={}, current=None, moments=None, summary=None)


class Pipe:
    """The stages and the batches between them.

    Args:
        model: network, rule, signal.
        threads: whether the stages of a tick run in parallel, one thread each.
        hardware: whether the network learns under a hardware model.

    Raises:
        UserError: the layers of the rule wait for each other.
    """

    def __init__(self, model: Model, threads: bool = False, hardware: bool = False) -> None:
        check_pipelined(model, hardware)
        self.model = model
        self.slots: list[Parcel | None] = [None] * len(model.network.layers)
        self.pool = ThreadPoolExecutor(len(self.slots), "stage") if threads else None

    @property
    def under_way(self) -> int:
        """Number of batches between the first layer and the last."""
        return sum(parcel is not None for parcel in self.slots)

    def check_empty(self) -> None:
        """Refuse to go on while layers have learned different numbers of batches.

        Raises:
            UserError: batches are under way.
        """
        if self.under_way:
            raise UserError(
                f"{self.under_way} batches are still under way, and layers have learned different numbers of them. "
                f"Call flush() first, or discard() to forget them"
            )

    def discard(self) -> int:
        """Drop the batches under way, and return their number."""
        under_way, self.slots = self.under_way, [None] * len(self.slots)
        return under_way

    def work(self, learned: Learned, slots: Sequence[Parcel | None]) -> list[Stage]:
        """Let every stage work on its batch, in parallel if there are threads.

        Args:
            learned: current parameters and state; they are not modified.
            slots: the next batch of each layer; None for none.

        Returns:
            The result of each stage that has a batch, the last layer first.
        """
        busy = [(index, parcel) for index, parcel in enumerate(slots) if parcel is not None][::-1]

        def one(index: int, parcel: Parcel) -> Stage:
            with own_thread():
                return run_stage(self.model, learned, index, parcel)

        if self.pool is None or len(busy) == 1:
            return [one(*job) for job in busy]
        futures = [self.pool.submit(one, *job) for job in busy]
        wait(futures)  # wait for the others too if one failed, since their changes are about to be undone
        return [future.result() for future in futures]

    def move(self, slots: Sequence[Parcel | None], stages: Sequence[Stage]) -> Parcel | None:
        """Send every batch on to the next layer.

        Args:
            slots: the batches that the layers worked on; None for none.
            stages: results of `work` on these slots, the last layer first.

        Returns:
            The batch that has left the last layer, or None.
        """
        done = iter(stages[::-1])
        behind = [None if parcel is None else next(done).parcel for parcel in slots]
        self.slots = [None, *behind[:-1]]
        return behind[-1]


def merged(before: Learned, stages: list[Stage]) -> Learned:
    """Everything learned after all stages have worked once: each one updates only what belongs to its own layer.

    Args:
        before: everything learned before; it is not modified.
        stages: their results.

    Returns:
        Everything learned, with the averages and signal states of all stages, and unchanged parameters.
    """
    names = ("current", "pre", "update", "signal", "traces")
    after = replace(before, **{name: dict(getattr(before, name)) for name in names})
    for stage in stages:
        for name in names:
            _take(getattr(after, name), getattr(before, name), getattr(stage.learned, name))
    return after


def _take(total: dict[str, Any], before: Mapping[str, Any], after: Mapping[str, Any]) -> None:
    """Copy into a dictionary those entries that one stage has changed."""
    total.update({name: value for name, value in after.items() if before.get(name) is not value})
