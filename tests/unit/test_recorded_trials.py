"""Trials that are recorded once and played again: the same bits as trials that run anew, whatever comes between.

A CUDA graph cannot be had on a CPU. What stands for it here runs the function again and writes what it finds into the
memory of the first time, as a graph does; the graphs themselves are tested in tests/oracle/test_cuda.py.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from torch import Tensor

from neurorules import Learner
from neurorules.contracts.series import Series
from neurorules.rules import RULES
from neurorules.torch_path.training.checks import Diverged
from neurorules.torch_path.training.graphed import MOST, Static
from neurorules.torch_path.training.state import to_tensors

CLASSES, INPUTS = 3, 7
WAITING = [name for name in RULES.names() if not any(phase.applies for phase in RULES.make(name).phases)]


def again_in_place(run: Callable[[], Any]) -> tuple[Any, Callable[[], None]]:
    """What a graph does, on a CPU."""
    first = run()

    def play() -> None:
        for here, there in zip(tensors_in(first), tensors_in(run()), strict=True):
            here.copy_(there)

    return first, play


def tensors_in(value: Any) -> Iterator[Tensor]:
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, dict):
        for item in value.values():
            yield from tensors_in(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from tensors_in(item)
    elif hasattr(value, "gradients"):
        yield from tensors_in([value.gradients, value.scores, value.spikes])


def learner(rule: str = "sigprop", recorded: bool = True, net: str = "6-5", **options: Any) -> Learner:
    made = Learner(net, rule, input_shape=(INPUTS,), classes=CLASSES, device="cpu", **options)
    made.queues, made.recorder.usable, made.recorder.record = True, recorded, again_in_place
    return made


def batches(made: Learner, rows: list[int]) -> Iterator[tuple[Tensor, Tensor]]:
    generator = torch.Generator().manual_seed(1)
    for samples in rows:
        spikes = (torch.rand(made.steps, samples, INPUTS, generator=generator) < 0.6).float()
        yield spikes, torch.randint(0, CLASSES, (samples,), generator=generator)


def assert_same(one: Learner, other: Learner) -> None:
    ours, theirs = one.state(), other.state()
    assert ours.keys() == theirs.keys()
    assert [name for name, value in ours.items() if not torch.equal(value, theirs[name])] == []


@pytest.mark.parametrize("rule", WAITING)
@pytest.mark.parametrize("optimizer", ["adam", "momentum"])
def test_played_trials_give_the_bits_of_trials_that_run_anew(rule: str, optimizer: str) -> None:
    played, anew = (learner(rule, recorded, optimizer=optimizer) for recorded in (True, False))
    for batch in batches(played, [6, 6, 6, 6, 4, 6, 4, 4, 6, 4]):
        assert played.step(*batch) == anew.step(*batch)
    assert len(played.recorder.recorded) == 2 and not anew.recorder.recorded
    assert_same(played, anew)


def test_trials_that_run_anew_and_loaded_states_may_come_between() -> None:
    played, anew = learner(), learner(recorded=False)
    made = list(batches(played, [6] * 12))
    for batch in made[:5]:
        played.step(*batch), anew.step(*batch)
    before = played.state()
    for batch in made[5:7]:
        trial, _ = played.learn(*batch)  # whoever looks into a trial gets one of its own
        anew.learn(*batch)
    seen = {name: value.clone() for name, value in trial.gradients.items()}
    for batch in made[7:9]:
        assert played.step(*batch) == anew.step(*batch)
    assert all(torch.equal(value, trial.gradients[name]) for name, value in seen.items())
    assert_same(played, anew)
    for one in (played, anew):
        one.load(before)
    for batch in made[9:]:
        assert played.step(*batch) == anew.step(*batch)
    assert_same(played, anew)
    assert played.recorder.recorded


@pytest.mark.parametrize("between", ["played", "anew"])
def test_a_played_trial_that_diverges_changes_nothing_and_neither_do_those_behind_it(between: str) -> None:
    played, twin = (learner(norm="none") for _ in range(2))
    made = list(batches(played, [6] * 9))
    for batch in made[:5]:
        played.step(*batch)
    twin.load(played.state())
    weights = played.learned.parameters["readout.ff.w"]
    kept = weights.clone()
    settle, played.outstanding.settle = played.outstanding.settle, lambda wait=True: None  # type: ignore[method-assign]
    weights.fill_(math.inf)
    played.push(*made[5])
    weights.copy_(kept)
    (played.push if between == "played" else played.learn)(*made[6])
    played.push(*made[6])
    played.outstanding.settle = settle  # type: ignore[method-assign]
    with pytest.raises(Diverged):
        played.push(*made[6])
    assert_same(played, twin)
    for batch in made[7:]:
        assert played.step(*batch) == twin.step(*batch)
    assert_same(played, twin)


def test_weights_that_were_replaced_are_seen() -> None:
    played, anew = learner(), learner(recorded=False)
    made = list(batches(played, [6] * 8))
    for number, batch in enumerate(made):
        if number == 5:
            for one in (played, anew):
                name = "hidden1.ff.w"
                one.learned.parameters[name] = one.learned.parameters[name].clone().mul_(1.5)
        assert played.step(*batch) == anew.step(*batch)
    assert len(played.recorder.recorded) == 2, "a graph reads its weights where they were when it was recorded"


def test_a_constant_drive_over_other_steps_is_another_trial() -> None:
    played, anew = learner(), learner(recorded=False)
    (spikes, labels), *_ = batches(played, [6])
    for steps in (2, 2, 2, 2, 3, 3, 2, 3, 3):
        played.steps = anew.steps = steps
        drive = Series(spikes[0], True)
        assert played.step(drive, labels) == anew.step(drive, labels)
    assert len(played.recorder.recorded) == 2


def test_few_shapes_are_recorded_and_nets_that_draw_masks_are_not() -> None:
    played = learner()
    for batch in batches(played, [rows for rows in range(4, 12) for _ in range(4)]):
        played.step(*batch)
    assert len(played.recorder.recorded) == MOST
    assert learner(net="6-d0.3-5").model.network.drops
    assert not played.model.network.drops


def test_what_cannot_be_recorded_runs_anew() -> None:
    played, anew = learner(), learner(recorded=False)

    def refuses(run: Callable[[], Any]) -> Any:
        raise RuntimeError("operation not permitted when stream is capturing")

    played.recorder.record = refuses
    for batch in batches(played, [6] * 5):
        assert played.step(*batch) == anew.step(*batch)
    assert not played.recorder.usable
    assert_same(played, anew)


def test_static_memory_holds_what_is_learned_and_moves_only_where_it_may() -> None:
    first, second = learner("pepita:mirror=running"), learner("pepita:mirror=running", seed=1)
    for batch in batches(first, [6, 6]):
        first.step(*batch), second.step(*batch)
    static, other = Static(first.learned), Static(second.learned)
    assert static.fits(second.learned) and not static.fits(learner().learned)
    assert same_but_parameters(static, first)
    static.take(other.flat, torch.tensor(True))
    assert same_but_parameters(static, first)
    static.take(other.flat, torch.tensor(False))
    assert same_but_parameters(static, second) and not same_but_parameters(static, first)


def same_but_parameters(static: Static, made: Learner) -> bool:
    ours, theirs = (
        {name: value for name, value in to_tensors(learned).items() if not name.startswith("parameters/")}
        for learned in (static.learned, made.learned)
    )
    assert ours.keys() == theirs.keys() and len(ours) > 10
    return all(torch.equal(value, theirs[name]) for name, value in ours.items())
