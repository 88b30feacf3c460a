"""What an update depends on through time: one trial is disturbed, and it and the trials behind it are read.

A real learner is warmed up. Then, in copies of the process, so that every module and object is as that learner left it,
one thing is changed in one trial; behind it everything but the signal's own memory is put back as it was, and two
more trials are learned. What then differs by a bit was carried there: by the signal's state, by an attribute, by a
module, by anything that lives on.
"""

from __future__ import annotations

import fnmatch
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from neurorules.audit.apart import apart
from neurorules.audit.held import Noted, OtherWeights, disturb_averages, disturb_momenta, noise_like
from neurorules.audit.probes import OtherActivity, Quiet
from neurorules.audit.settings import CLASSES, ROWS, SHAPE, Settings
from neurorules.contracts.parameter_key import key_of
from neurorules.contracts.running_mean import RunningMean
from neurorules.language.errors import UserError

WARM, LATER = 21, 2
"""Trials before the one that is disturbed, one more than a mirror waits before it is believed; and trials behind it."""
ROUNDING = 1e-9
"""Share of a state below which a difference of averages over samples is rounding."""

AT_ONCE = ("weights", "optimiser", "averages")
"""Kinds of which the disturbed trial counts as well; of the others `dependence` tells more."""

SAME = 1e-7
"""Difference of weights up to which two schedules learn the same: their sums round differently."""

Gradients = Mapping[str, np.ndarray]
Entry = dict[str, Any]


class Read(NamedTuple):
    """What one run was found to ask for.

    Args:
        first: in the disturbed trial, by parameter.
        later: in each trial behind it.
        averages: the signal's running averages after the disturbed trial.
    """

    first: Gradients
    later: Sequence[Gradients]
    averages: dict[str, np.ndarray]


@dataclass(frozen=True)
class Arm:
    """One thing that is changed in one trial; this one changes nothing.

    Args:
        weights: noise on parameters that everything but the passes reads.
        factors: whether it multiplies.
        optimiser: the layer of whose parameters the optimiser keeps other momenta.
        averages: the layer whose running averages of updates are others.
        probe: what learning is told instead.
        labels: whether the labels are others.
        samples: rows that are other samples.
        holds_averages: whether the signal's declared memory is put back as well.
    """

    weights: Mapping[str, Tensor] | None = None
    factors: bool = False
    optimiser: str | None = None
    averages: str | None = None
    probe: Quiet | None = None
    labels: bool = False
    samples: Tensor | None = None
    holds_averages: bool = False


class NoisyAnswer(Quiet):
    """The network's answer to noise is another."""

    def answered(self, response: Tensor) -> Tensor:
        return response + noise_like(response, torch.Generator().manual_seed(5)) * (1 + response.abs().mean())


class OverTime(NamedTuple):
    """What a disturbed trial and the trials behind it show of an update's dependences.

    Args:
        at_once: entries of the disturbed trial, of the kinds weights, optimiser and averages.
        later: entries of the trials behind it, of the same kinds and activity, label, noise and other_samples.
        only_signs: layers whose weights are read by their signs alone.
        noise: whether an update depends on what the net answered to noise, then or later.
        state_moves: tensors of the signal's state that changed and that its `moves` do not name.
    """

    at_once: list[Entry]
    later: list[Entry]
    only_signs: list[str]
    noise: bool
    state_moves: list[str]


def over_time(settings: Settings) -> OverTime:
    """Warm a learner up and disturb one trial, each thing alone. For a process of one thread.

    Raises:
        UserError: the rule does not take the net, or its signal fails on it.
    """
    learner, steps = learner_of(settings), settings.time_steps()
    fixed = plain_tensors(learner)
    for number in range(WARM):
        learner.trial(*batch(steps, 100 + number))
    layers = learner.model.network.layers
    hidden = [layer.name for layer in layers[:-1]]

    def read(arm: Arm) -> Read:
        return apart(partial(run, learner, steps, arm))

    clean = read(Arm())
    at_once: list[Entry] = []
    later: list[Entry] = []

    def note(kind: str, perturbed: str, found: Read, to: Read, of: Iterable[str]) -> bool:
        rows = [(row, depends(found, to, row)) for row in of]
        at_once.extend(_entry(settings.rule, row, perturbed, kind, now) for row, (now, _) in rows)
        later.extend(_entry(settings.rule, row, perturbed, kind, then) for row, (_, then) in rows)
        return any(now or then for _, (now, then) in rows)

    only_signs = []
    for index, layer in list(enumerate(layers))[1:]:  # under the first layer lies none that learns
        below = hidden[:index]
        noise = weight_noise(learner, layer.name, index)
        if note("weights", layer.name, read(Arm(weights=noise)), clean, [*below, layer.name]):
            sizes = {name: value.abs().add(0.5) for name, value in noise.items()}
            same = read(Arm(weights=sizes, factors=True))
            if not any(any(depends(same, clean, row)) for row in below):
                only_signs.append(layer.name)
        note("optimiser", layer.name, read(Arm(optimiser=layer.name)), clean, below)
        note("averages", layer.name, read(Arm(averages=layer.name)), clean, below)
        told = OtherActivity(layers=layers, index=index, seed=100 + index)
        note("activity", layer.name, read(Arm(probe=told)), clean, below)
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
    moved = apart(partial(moved_state, learner, fixed, steps))
    return OverTime([e for e in at_once if e["kind"] in AT_ONCE], later, only_signs, noisy, moved)


def learner_of(settings: Settings, **how: Any) -> Noted:
    """A fresh learner in float64 of these settings; by layer, unless `how` says otherwise."""
    return Noted(
        rule=settings.rule, input_shape=SHAPE, classes=CLASSES, steps=settings.time_steps(), seed=1, device="cpu",
        precision="float64", **settings.settled(), **how,
    )  # fmt: skip


def check_schedule(settings: Settings) -> None:
    """Whether a schedule learns what is audited, which is the schedule by_layer.

    Raises:
        UserError: after some trials the weights are others by more than rounding.
    """
    if settings.schedule == "by_layer":
        return
    plain = {"optimizer": "sgd", "lr": 0.1, "readout_lr": 0.1}  # Adam would blow rounding up
    own, audited = learner_of(settings, schedule=settings.schedule, **plain), learner_of(settings, **plain)
    for number in range(LATER):
        for learner in (own, audited):
            learner.step(*batch(settings.time_steps(), 100 + number))
    for name, value in audited.learned.parameters.items():
        if not torch.allclose(own.learned.parameters[name], value, rtol=SAME, atol=SAME):
            raise UserError(
                f"schedule {settings.schedule} learns another {name} than by_layer, which is what is audited"
            )


def run(learner: Noted, steps: int, arm: Arm) -> Read:
    """The disturbed trial and those behind it."""
    before, memory = learner.before(), declared_memory(learner)
    drive, labels = batch(steps, 0)
    if arm.samples is not None:
        others = batch(steps, 7)[0]
        drive = torch.where(arm.samples.reshape(1, -1, 1, 1, 1), others, drive)
        labels = torch.where(arm.samples, (labels + 1) % CLASSES, labels)
    labels = (labels + 1) % CLASSES if arm.labels else labels
    learner.probe = arm.probe
    if arm.weights is not None:
        learner.probe = OtherWeights(arm.weights, arm.factors)
        learner.probe.put(learner.learned.parameters)
    if arm.optimiser is not None:
        disturb_momenta(learner, arm.optimiser, torch.Generator().manual_seed(3))
    if arm.averages is not None:
        disturb_averages(learner, arm.averages, torch.Generator().manual_seed(3))
    first = learner.trial(drive, labels)
    averages = {n: v.value.numpy().copy() for n, v in learner.learned.signal.items() if isinstance(v, RunningMean)}
    learner.probe = None
    later = []
    for number in range(LATER):
        learner.put_back(before)
        if arm.holds_averages and number == 0:
            learner.learned = replace(learner.learned, signal={**learner.learned.signal, **memory})
        later.append(learner.trial(*batch(steps, 50 + number)))
    return Read(first, later, averages)


def batch(steps: int, seed: int) -> tuple[Tensor, Tensor]:
    """Spikes (T, B, *input) and labels (B,), from a seed."""
    generator = torch.Generator().manual_seed(seed)
    spikes = torch.rand(steps, ROWS, *SHAPE, generator=generator, dtype=torch.float64) < 0.4
    return spikes.double() * 1.5, torch.randint(0, CLASSES, (ROWS,), generator=generator)


def weight_noise(learner: Noted, layer: str, seed: int) -> dict[str, Tensor]:
    """Noise on a layer's own parameters and its signal's, those that its neurons and the passes' drives run with left
    out."""
    generator = torch.Generator().manual_seed(seed)
    network = learner.model.network
    names = [name for name in learner.model.parameter_names if key_of(name).layer == layer]
    running = {f"{a.name}.{name}" for a in network.layers for name in a.neuron.learns}
    chosen = sorted(set(names) - running)
    return {name: 0.3 * noise_like(learner.learned.parameters[name], generator) for name in chosen}


def depends(one: Read, other: Read, row: str) -> tuple[bool, bool]:
    """Whether any bit of a layer's change differs in the disturbed trial, and in one behind it."""
    later = any(_differ(a, b, row) for a, b in zip(one.later, other.later, strict=True))
    return _differ(one.first, other.first, row), later


def mixes(corners: list[Read], rows: Iterable[str]) -> set[str]:
    """Layers whose later updates read running averages that tell the samples of a batch apart, or mix them.

    An average over samples adds up: replacing one sample moves it by the same amount, whatever the others are.
    """
    neither, first, others, both = corners
    mixed = False
    for name, value in neither.averages.items():
        left = both.averages[name] - first.averages[name] - others.averages[name] + value
        mixed |= bool(np.abs(left).max() > ROUNDING * max(float(np.abs(value).max()), 1e-12))
    return {row for row in rows if mixed and depends(both, neither, row)[1]}


def plain_tensors(learner: Noted) -> dict[str, bytes]:
    """The bits of the signal's tensors that are neither running means nor declared to move."""
    declared = {} if learner.model.signal is None else learner.model.signal.moves
    return {
        name: value.numpy().tobytes()
        for name, value in learner.learned.signal.items()
        if isinstance(value, Tensor) and not any(fnmatch.fnmatch(name, pattern) for pattern in declared)
    }


def declared_memory(learner: Noted) -> dict[str, Any]:
    """The running means of the signal's state, and what it declares to move."""
    fixed = plain_tensors(learner)
    return {name: value for name, value in learner.learned.signal.items() if name not in fixed}


def moved_state(learner: Noted, fixed: Mapping[str, bytes], steps: int) -> list[str]:
    """Tensors of the signal's state that did not keep their bits while the learner learned, though none is said to."""
    for number in range(LATER):
        learner.trial(*batch(steps, 70 + number))
    now = plain_tensors(learner)
    return sorted(name for name in fixed.keys() | now.keys() if now.get(name) != fixed.get(name))


def _differ(one: Gradients, other: Gradients, row: str) -> bool:
    names = {name for name in (*one, *other) if key_of(name).layer == row}
    return any(name not in one or name not in other or not np.array_equal(one[name], other[name]) for name in names)


def _entry(rule: str, row: str, perturbed: str, kind: str, found: bool) -> Entry:
    return {"rule": rule, "update_of": row, "perturbed": perturbed, "kind": kind, "depends": found}
