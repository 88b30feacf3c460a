"""Equal updates of equal weights in torch and in stepped Brian2, compared after each of them.

Torch runs a whole trial, and what drives its phases and what its signal says are written down. Brian2 runs the same
phases with weights of its own and evaluates the rule's texts in its own statements; third factors, running averages and
what a signal learns for itself are those of torch. The same optimiser then changes either side's weights.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from neurorules.brian2_steps.case import Case, Learning
from neurorules.brian2_steps.lowering import why_not_lowered
from neurorules.brian2_steps.parity import Difference, Parity, compare_spikes
from neurorules.brian2_steps.simulate import LARGEST_RUN, Outcome, run_together
from neurorules.brian2_steps.trained import numbers_of, traces_of
from neurorules.brian2_steps.wiring import wiring_of
from neurorules.contracts.normalisation import UpdateStatistics
from neurorules.contracts.parameter_key import key_of
from neurorules.contracts.phase_drive import PhaseDrive
from neurorules.contracts.series import Series
from neurorules.language.errors import UserError
from neurorules.network.model import Learned
from neurorules.network.texts import Text
from neurorules.torch_path.forward.run_layer import Activity
from neurorules.torch_path.training.learner import Learner
from neurorules.torch_path.trial.probe import Again, Probe
from neurorules.torch_path.update.local_view import LocalView

ROUNDING = 1e-9
"""Largest difference that rounding explains, of two changes or two weights. Sums of some thousand products in float64
differ by 1e-13; Adam, which divides a change by its size or by 1e-8, makes some thousand times more of it."""


class Update(NamedTuple):
    """The comparison of one update on the two sides.

    number: of the update, from 1.
    spikes_compared: spikes that either side has, over all layers and phases.
    spikes_equal: whether each of them is in both.
    first_difference: the first spike that differs, and None where none does.
    change_difference: the largest of two changes that the rule's texts ask for, absolute, averaged over the samples.
    changes_equal: whether it is within rounding. Adam hides a change that is too large by a factor; this does not.
    largest_difference: of two weights after the update, absolute; 0 where all are equal to the last bit.
    parameter: where it is, such as "hidden1.ff.w".
    weights_equal: whether it is within rounding.
    """

    number: int
    spikes_compared: int
    spikes_equal: bool
    first_difference: Difference | None
    change_difference: float
    changes_equal: bool
    largest_difference: float
    parameter: str
    weights_equal: bool

    @property
    def equal(self) -> bool:
        """Whether spikes, changes and weights are the same on both sides."""
        return self.spikes_equal and self.changes_equal and self.weights_equal


class Listener(Probe):
    """Writes down what drives each phase of a trial, what its layers do, and each layer's third factor."""

    def __init__(self) -> None:
        self.drives: dict[str, PhaseDrive] = {}
        self.activity: dict[str, list[Activity]] = {}
        self.m: dict[str, dict[str, Series]] = {}

    def drive(self, phase: str, drive: PhaseDrive) -> PhaseDrive:
        self.drives[phase] = drive
        return drive

    def recorded(self, phase: str, done: list[Activity], again: Again) -> list[Activity]:
        self.activity[phase] = done
        return done

    def learns(self, view: LocalView, texts: tuple[Text, ...], statistics: Mapping[str, UpdateStatistics]) -> None:
        if view.m is not None:
            self.m.setdefault(view.phase, {})[view.layer.name] = view.m


def check_can_learn(learner: Learner, samples: int) -> None:
    """Refuse a learner whose updates Brian2 cannot repeat step by step.

    Args:
        learner: with its net and rule.
        samples: in one update, >= 1.

    Raises:
        UserError: the rule, the net, a device model or the size stands against it.
    """
    rule, network = learner.model.rule, learner.model.network
    reason = why_not_lowered(rule)
    if reason is not None:
        raise UserError(
            f"rule '{rule.name}' cannot learn step by step in Brian2: {reason}. Leave --learn out, or give a run of a "
            f"rule that can, such as dfa"
        )
    if learner.hardware is not None:
        raise UserError(
            "the run learned on a device model, and --learn compares plain weights. Give a run with --hardware none"
        )
    if any(layer.normalisation is not None and layer.normalisation.reads_batch for layer in network.layers):
        raise UserError(
            "the net has batch normalisation, and each sample runs alone in Brian2. Give a run with --norm streaming"
        )
    rows = samples * len(rule.phases)
    synapses = rows * sum(len(wiring_of(layer, entry).pre) for layer in network.layers for entry in layer.inputs)
    if synapses > LARGEST_RUN:
        raise UserError(
            f"--learn with --samples {samples} makes {synapses} synapses in Brian2, and {LARGEST_RUN} is the most. "
            f"Use --samples {max(1, samples * LARGEST_RUN // synapses)}, or a smaller net"
        )


Listen = Callable[[Mapping[str, Case]], None]
"""A function that is handed what Brian2 ran in an update, by phase."""


def compare_updates(
    torch_side: Learner, brian2_side: Learner, batches: Iterable[tuple[Series, Tensor]], listen: Listen | None = None
) -> Iterator[Update]:
    """Learn batches on two sides, the second in stepped Brian2, and compare them after each update.

    Args:
        torch_side: learns as it always does.
        brian2_side: holds the weights that Brian2 runs with; the same net, rule and weights to begin with, in float64.
        batches: drives, (T, B, *input) or constant (B, *input), and labels (B,).
        listen: is handed what Brian2 runs, before each update.

    Returns:
        One `Update` for each batch.

    Raises:
        UserError: something in the net or the rule that has no lowering.
        MissingExtra: brian2 is not installed.
    """
    for number, (drive, labels) in enumerate(batches, 1):
        listener = torch_side.probe = Listener()
        steps = torch_side.steps if drive.constant else len(drive.values)
        before = brian2_side.trial_state()
        trial, _ = torch_side.learn(drive, labels)
        torch_side.probe = None
        listener.drives["input"] = PhaseDrive(drive)
        phases = [phase.name for phase in torch_side.model.rule.phases]
        cases = {phase: _case(brian2_side, before, listener, phase) for phase in phases}
        if listen is not None:
            listen(cases)
        outcomes = {phase: run_together([case], steps)[0] for phase, case in cases.items()}
        changes = _summed(outcomes, listener)
        own = {name: torch.from_numpy(-change / len(labels)) for name, change in changes.items()}
        taught = {
            name: gradient
            for name, gradient in trial.gradients.items()
            if name not in own and name not in brian2_side.model.parameter_names
        }
        brian2_side.apply_and_read({**taught, **own})
        left = {f"{phase}.{name}": v for phase, o in outcomes.items() for name, v in o.traces.items()}
        own_traces = {name: torch.from_numpy(value) for name, value in left.items() if name in trial.learned.traces}
        brian2_side.learned = replace(trial.learned, parameters=brian2_side.learned.parameters, traces=own_traces)
        apart = _largest_apart(trial.gradients, {**taught, **own})
        yield _compared(number, torch_side, brian2_side, _spikes(torch_side, listener, outcomes, steps), apart[0])


def _case(side: Learner, learned: Learned, listener: Listener, phase: str) -> Case:
    """One phase for Brian2, driven and taught as it was in torch."""
    parameters, norms = numbers_of(side.model, learned, phase)
    drive = listener.drives[phase]
    rule, network = side.model.rule, side.model.network
    learning = {p.role for p in rule.plasticity if p.phase == phase}
    roles = {layer.name: layer.role for layer in network.layers}
    said = listener.m.get(phase, {})
    m = {name: _array(series.values) for name, series in said.items() if roles[name] in learning}
    return Case(
        network,
        parameters,
        None if drive.presented is None else _array(drive.presented.values),
        None if drive.offset is None else _array(drive.offset.rows()),
        None if drive.injected is None else _array(drive.injected),
        norms,
        Learning(rule, phase, m, traces=traces_of(learned, phase)),
    )


def _summed(outcomes: Mapping[str, Outcome], listener: Listener) -> dict[str, np.ndarray]:
    """Changes by parameter, summed over the phases."""
    total: dict[str, np.ndarray] = {}
    for phase, outcome in outcomes.items():
        context = listener.drives[phase].context
        for name, change in outcome.changes.items():
            if context is not None and not key_of(name).is_weight and key_of(name).parameter != "b":
                change = np.tensordot(_array(context).T, change, 1)
            total[name] = total[name] + change if name in total else change
    return total


def _spikes(side: Learner, listener: Listener, outcomes: Mapping[str, Outcome], steps: int) -> list[Parity]:
    """The spikes of each phase on both sides."""
    parts = []
    for phase, outcome in outcomes.items():
        hidden = list(zip(side.model.network.hidden, listener.activity[phase], strict=False))
        here = {layer.name: _array(one.S.over_time(steps).flatten(2)) for layer, one in hidden}
        there = {layer.name: outcome.layers[layer.name].S for layer, _ in hidden}
        parts.append(compare_spikes(here, there))
    return parts


def _largest_apart(here: Mapping[str, Tensor], there: Mapping[str, Tensor]) -> tuple[float, str]:
    """The largest difference of two sides' numbers, and where it is; what one side lacks is 0 there."""
    apart = {}
    for name in sorted({*here, *there}):
        left, right = (side.get(name) for side in (here, there))
        difference = right if left is None else left if right is None else left - right
        apart[name] = 0.0 if difference is None else float(difference.abs().max())
    where = max(apart, key=lambda name: apart[name])
    return apart[where], where


def _compared(number: int, left: Learner, right: Learner, spikes: list[Parity], change_difference: float) -> Update:
    weights, parameter = _largest_apart(left.learned.parameters, right.learned.parameters)
    return Update(
        number,
        sum(part.spikes_compared for part in spikes),
        all(part.spikes_equal for part in spikes),
        next((part.first_difference for part in spikes if part.first_difference is not None), None),
        change_difference,
        change_difference <= ROUNDING,
        weights,
        parameter,
        weights <= ROUNDING,
    )


def _array(value: Tensor) -> np.ndarray:
    array: np.ndarray = value.detach().double().numpy()
    return array
