"""The dependences of updates over time: one trial is disturbed, and the updates of this and later trials are compared.

A learner is trained for some trials. Then, in copies of the process, so that all modules and objects are in the same
state, one thing is changed in one trial. Afterwards everything except the signal's own memory is restored, and two more
trials are learned. If a bit of their updates differs, something carried the change over: the signal's state, an
attribute, a module, or anything else that persists.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import torch

from neurorules.audit.apart import apart
from neurorules.audit.arms import (
    LATER,
    Arm,
    Gradients,
    NoisyAnswer,
    Read,
    batch,
    learner_of,
    moving_tensors,
    plain_tensors,
    run,
    weight_noise,
)
from neurorules.audit.other_weights import RecordingLearner
from neurorules.audit.probes import OtherActivity
from neurorules.audit.settings import ROWS, Settings
from neurorules.contracts.parameter_key import key_of
from neurorules.language.errors import UserError

WARM = 21
"""Number of trials before the disturbed one; one more than weight mirroring waits before it uses its mirror."""
ROUNDING = 1e-9
"""Differences between averages over samples count as rounding if they are below this share of the state."""

AT_ONCE = ("weights", "optimiser", "averages")
"""Kinds for which the disturbed trial itself counts too; for other kinds `dependence` measures it better."""

SAME = 1e-7
"""The largest difference between weights of two schedules that is attributed to rounding."""

Entry = dict[str, Any]
"""One dependence: rule, update_of (a layer), perturbed (what was changed), kind, depends (whether a bit changed)."""


class OverTime(NamedTuple):
    """The dependences through time that a disturbed trial and the trials after it show.

    Args:
        at_once: entries of the disturbed trial, of the kinds weights, optimiser and averages.
        later: entries of the trials after it, of the same kinds and of activity, label, noise and other_samples.
        only_signs: names of layers whose weights affect updates only through their signs.
        noise: whether an update in this or a later trial depends on the net's response to noise.
        state_moves: names of tensors of the signal's state that changed although `moves` does not list them.
        state_stays: names in `moves` of tensors that no trial changed, and patterns that match no tensor.
    """

    at_once: list[Entry]
    later: list[Entry]
    only_signs: list[str]
    noise: bool
    state_moves: list[str]
    state_stays: list[str]


def over_time(settings: Settings) -> OverTime:
    """Train a learner and disturb one trial, one thing at a time. This is for processes with one thread.

    Raises:
        UserError: the rule cannot use the net, or its signal fails on it.
    """
    learner, steps = learner_of(settings), settings.time_steps()
    fixed, moving = plain_tensors(learner), moving_tensors(learner)
    for number in range(WARM):
        learner.trial(*batch(steps, 100 + number))
    layers = learner.model.network.layers
    hidden = [layer.name for layer in layers[:-1]]

    def read(arm: Arm) -> Read:
        return apart(partial(run, learner, steps, arm))

    clean = read(Arm())
    at_once: list[Entry] = []
    later: list[Entry] = []

    def note(kind: str, perturbed: str, disturbed: Read, to: Read, of: Iterable[str]) -> bool:
        rows = [(row, depends(disturbed, to, row)) for row in of]
        at_once.extend(_entry(settings.rule, row, perturbed, kind, now) for row, (now, _) in rows)
        later.extend(_entry(settings.rule, row, perturbed, kind, then) for row, (_, then) in rows)
        return any(now or then for _, (now, then) in rows)

    only_signs = []
    for index, layer in list(enumerate(layers))[1:]:  # the first layer has no layer below it
        below = hidden[:index]
        noise = weight_noise(learner, layer.name, index)
        if note("weights", layer.name, read(Arm(weights=noise)), clean, [*below, layer.name]):
            sizes = {name: value.abs().add(0.5) for name, value in noise.items()}
            same = read(Arm(weights=sizes, factors=True))
            if not any(any(depends(same, clean, row)) for row in below):
                only_signs.append(layer.name)
        note("optimiser", layer.name, read(Arm(optimiser=layer.name)), clean, below)
        note("averages", layer.name, read(Arm(averages=layer.name)), clean, below)
        other = OtherActivity(layers=layers, index=index, seed=100 + index)
        note("activity", layer.name, read(Arm(probe=other)), clean, below)
    note("label", "label", read(Arm(labels=True)), clean, hidden)
    noisy = note("noise", "noise", read(Arm(probe=NoisyAnswer())), clean, hidden)
    rows = torch.arange(ROWS) == 0
    held = read(Arm(holds_averages=True))
    others = read(Arm(samples=rows | True, holds_averages=True))
    mixed = mixes([clean, *(read(Arm(samples=r)) for r in (rows, ~rows, rows | True))], hidden)
    later.extend(
        _entry(settings.rule, row, "other samples", "other_samples", depends(others, held, row)[1] or row in mixed)
        for row in hidden
    )
    moved, stayed = apart(partial(held_state, learner, fixed, moving, steps))
    return OverTime([e for e in at_once if e["kind"] in AT_ONCE], later, only_signs, noisy, moved, stayed)


def check_schedule(settings: Settings) -> None:
    """Check that the schedule in the settings gives the same weights as `by_layer`, the audited schedule.

    Raises:
        UserError: the weights after some trials differ by more than rounding.
    """
    if settings.schedule == "by_layer":
        return
    plain = {"optimizer": "sgd", "lr": 0.1, "readout_lr": 0.1}  # Adam would amplify rounding
    own, audited = learner_of(settings, schedule=settings.schedule, **plain), learner_of(settings, **plain)
    for number in range(LATER):
        for learner in (own, audited):
            learner.step(*batch(settings.time_steps(), 100 + number))
    for name, value in audited.learned.parameters.items():
        if not torch.allclose(own.learned.parameters[name], value, rtol=SAME, atol=SAME):
            raise UserError(
                f"schedule {settings.schedule} learns another {name} than by_layer, which is what is audited"
            )


def depends(one: Read, other: Read, row: str) -> tuple[bool, bool]:
    """Whether any bit of a layer's change differs between two arms.

    Args:
        one, other: the gradients of the two arms.
        row: name of the layer.

    Returns:
        Whether it differs in the disturbed trial, and whether it differs in a trial after it.
    """
    later = any(_differ(a, b, row) for a, b in zip(one.later, other.later, strict=True))
    return _differ(one.first, other.first, row), later


def mixes(corners: list[Read], rows: Iterable[str]) -> set[str]:
    """Find layers whose later updates read running averages that are not sums of contributions of single samples.

    Replacing one sample moves a plain average by the same amount, whatever the other samples are.

    Args:
        corners: four arms: the original batch, its first sample replaced, all others replaced, and both.
        rows: names of the layers to check.

    Returns:
        The names of these layers.
    """
    neither, first, others, both = corners
    mixed = False
    for name, value in neither.averages.items():
        left = both.averages[name] - first.averages[name] - others.averages[name] + value
        mixed |= bool(np.abs(left).max() > ROUNDING * max(float(np.abs(value).max()), 1e-12))
    return {row for row in rows if mixed and depends(both, neither, row)[1]}


def held_state(
    learner: RecordingLearner, fixed: Mapping[str, bytes], moving: Mapping[str, Mapping[str, bytes]], steps: int
) -> tuple[list[str], list[str]]:
    """Compare the changes in the signal's state with its declaration `moves`.

    Args:
        learner: the learner, which learns some more trials.
        fixed: initial bytes of the tensors that should stay fixed, by name.
        moving: initial bytes of the tensors that are declared to move, by pattern and by name.
        steps: T of each trial.

    Returns:
        Names of tensors that should stay fixed but changed, appeared or disappeared; and names of tensors that are
        declared to move but did not change, with patterns that match no tensor.
    """
    for number in range(LATER):
        learner.trial(*batch(steps, 70 + number))
    now = plain_tensors(learner)
    moved = sorted(name for name in fixed.keys() | now.keys() if now.get(name) != fixed.get(name))
    later = moving_tensors(learner)
    stayed = {pattern for pattern, tensors in moving.items() if not tensors and not later[pattern]}
    stayed |= {name for pattern, bits in moving.items() for name in bits if later[pattern].get(name) == bits[name]}
    return moved, sorted(stayed)


def _differ(one: Gradients, other: Gradients, row: str) -> bool:
    """Whether any bit of one layer's gradients differs between two trials."""
    names = {name for name in (*one, *other) if key_of(name).layer == row}
    return any(name not in one or name not in other or not np.array_equal(one[name], other[name]) for name in names)


def _entry(rule: str, row: str, perturbed: str, kind: str, changed: bool) -> Entry:
    """One dependence, as an entry of the audit."""
    return {"rule": rule, "update_of": row, "perturbed": perturbed, "kind": kind, "depends": changed}
