"""A step is taken whole or not at all, wherever it fails: in the trial, the optimiser, a chip, a stage, by Ctrl-C."""

from __future__ import annotations

import itertools
import signal
from collections.abc import Callable
from types import FrameType, SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor

from neurorules import Learner
from neurorules.language.config import TrainConfig
from neurorules.language.errors import UserError
from neurorules.rules import RULES
from neurorules.runs.interrupt import interrupts_wait
from neurorules.torch_path.training import one_step
from neurorules.torch_path.training.checks import Diverged
from neurorules.torch_path.training.training_run import Run
from neurorules.torch_path.trial import pipeline

STEPS, SAMPLES, CLASSES, INPUTS = 3, 6, 3, 7


class Broken(Exception):
    """Of a part that fails."""


def make(rule: str = "sigprop", net: str = "6-d0.3-5", **options: Any) -> Learner:
    return Learner(net, rule, input_shape=(INPUTS,), classes=CLASSES, device="cpu", **({"steps": STEPS} | options))


def batch(number: int = 0, steps: int = STEPS, samples: int = SAMPLES) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(number)
    spikes = (torch.rand(steps, samples, INPUTS, generator=generator) < 0.6).float()
    return spikes, torch.randint(0, CLASSES, (samples,), generator=generator)


def same(one: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(value, other[name]) for name, value in one.items())


def failing(call: int, function: Callable[..., Any], error: type[BaseException] = Broken) -> Any:
    """A function that does its work and then fails, at its n-th call."""
    calls = itertools.count(1)

    def instead(*arguments: Any, **options: Any) -> Any:
        number = next(calls)
        answer = function(*arguments, **options)
        if number == call:
            raise error
        return answer

    return instead


def fails_whole(
    learner: Learner, error: type[BaseException], act: Callable[[], object], mend: Callable[[], object]
) -> None:
    """An act that fails leaves a learner as it was: its state, and what it learns afterwards, are a twin's."""
    before = learner.state()
    with pytest.raises(error):
        act()
    assert same(learner.state(), before)
    mend()
    twin = make_like(learner)
    twin.load(before)
    for one in (learner, twin):
        one.step(*batch(9, one.steps))
    assert same(learner.state(), twin.state())


MADE: dict[int, Callable[[], Learner]] = {}


def made(rule: str = "sigprop", **options: Any) -> Learner:
    learner = make(rule, **options)
    MADE[id(learner)] = lambda: make(rule, **options)
    learner.step(*batch(0, learner.steps))
    return learner


def make_like(learner: Learner) -> Learner:
    return MADE[id(learner)]()


@pytest.mark.parametrize("error", [Broken, KeyboardInterrupt])
@pytest.mark.parametrize("optimizer", ["adam", "momentum", "pid"])
def test_a_group_of_parameters_that_cannot_be_changed_leaves_the_others_alone(
    optimizer: str, error: type[BaseException]
) -> None:
    learner = made(optimizer=optimizer, weight_decay=0.1)
    groups = learner.optimiser.groups
    assert len(groups) > 2
    for index, group in enumerate(groups):
        learner.optimiser.groups = [*groups]
        learner.optimiser.groups[index] = group._replace(update=failing(1, group.update, error))
        fails_whole(
            learner, error, lambda: learner.step(*batch(1)), lambda: setattr(learner.optimiser, "groups", groups)
        )


@pytest.mark.parametrize("call", [1, 2, 3])
@pytest.mark.parametrize("error", [Broken, KeyboardInterrupt])
def test_a_chip_that_cannot_store_a_weight_stores_none(
    call: int, error: type[BaseException], monkeypatch: pytest.MonkeyPatch
) -> None:
    learner = made(hardware="fixed_point", optimizer="momentum")
    kind = type(learner.hardware)
    monkeypatch.setattr(kind, "on_update", failing(call, kind.on_update, error))  # type: ignore[union-attr]
    fails_whole(learner, error, lambda: learner.step(*batch(1)), monkeypatch.undo)


@pytest.mark.parametrize("error", [Broken, KeyboardInterrupt])
@pytest.mark.parametrize("rule", [rule for rule in RULES.names() if RULES.make(rule).signal is not None])
def test_a_signal_that_fails_at_any_layer_leaves_no_trace(
    rule: str, error: type[BaseException], monkeypatch: pytest.MonkeyPatch
) -> None:
    learner = made(rule, steps=RULES.make(rule).defaults.steps)
    kind = type(learner.model.signal)
    for call in (1, 2):
        monkeypatch.setattr(kind, "third_factor", failing(call, kind.third_factor, error))
        fails_whole(learner, error, lambda: learner.step(*batch(1, learner.steps)), monkeypatch.undo)


def test_a_phase_that_applied_its_changes_takes_them_back_where_the_next_one_diverges() -> None:
    learner = made("pepita:form=time_local")
    before = learner.state()
    changed: list[bool] = []
    check = one_step.check_finite

    def diverging(gradients: dict[str, Tensor], *rest: Any) -> None:
        changed.append(not torch.equal(before["parameters/hidden1.ff.w"], learner.learned.parameters["hidden1.ff.w"]))
        check({name: value * float("nan") for name, value in gradients.items()} if changed[-1] else gradients, *rest)

    one_step.check_finite = diverging
    try:
        fails_whole(
            learner, Diverged, lambda: learner.step(*batch(1)), lambda: setattr(one_step, "check_finite", check)
        )
    finally:
        one_step.check_finite = check
    assert True in changed, "the first phase had changed weights when the second one failed"


@pytest.mark.parametrize("schedule", ["pipelined", "pipelined_threads"])
@pytest.mark.parametrize("error", [Broken])
@pytest.mark.parametrize("call", [1, 2, 4, 6])
def test_a_stage_that_fails_leaves_the_pipe_as_it_was(
    schedule: str, error: type[BaseException], call: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Batches are pushed until a stage fails; pushed or flushed again, all ends with the bits of a run without."""
    broken, whole = make(schedule=schedule), make(schedule=schedule)
    monkeypatch.setattr(pipeline, "run_stage", failing(call, pipeline.run_stage, error))
    failures = 0
    for number in range(3):
        try:
            broken.push(*batch(number))
        except error:
            failures += 1
            broken.push(*batch(number))
    try:
        broken.flush()
    except error:
        failures += 1
        broken.flush()
    monkeypatch.undo()
    assert failures == 1
    for number in range(3):
        whole.push(*batch(number))
    whole.flush()
    assert same(broken.state(), whole.state())


@pytest.mark.parametrize("call", [1, 2, 3])
def test_a_step_through_a_pipe_is_whole(call: int, monkeypatch: pytest.MonkeyPatch) -> None:
    learner = made(schedule="pipelined")
    monkeypatch.setattr(pipeline, "run_stage", failing(call, pipeline.run_stage))
    fails_whole(learner, Broken, lambda: learner.step(*batch(1)), monkeypatch.undo)


def test_batches_that_cannot_be_learned_to_the_end_may_be_discarded(monkeypatch: pytest.MonkeyPatch) -> None:
    learner = make(schedule="pipelined")
    learner.push(*batch(0))
    learner.push(*batch(1))
    with pytest.raises(UserError, match=r"flush\(\) first, or discard\(\)"):
        learner.state()
    assert learner.discard() == 2 and learner.discard() == 0
    assert learner.state() and learner.step(*batch(2))


def test_a_ctrl_c_while_weights_change_waits_until_they_have(monkeypatch: pytest.MonkeyPatch) -> None:
    learner, twin = made(), made()
    change = learner.store.change

    def interrupted(parts: Any) -> None:
        signal.raise_signal(signal.SIGINT)
        change(parts)
        signal.raise_signal(signal.SIGINT)

    learner.store.change = interrupted  # type: ignore[method-assign]
    handler = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        learner.step(*batch(1))
    assert signal.getsignal(signal.SIGINT) is handler
    twin.step(*batch(1))
    assert same(learner.state(), twin.state()), "the step is whole"


def test_a_ctrl_c_in_the_trial_ends_it_before_anything_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    learner = made()
    trial = one_step.learn_trial

    def interrupted(*arguments: Any, **options: Any) -> Any:
        answer = trial(*arguments, **options)
        signal.raise_signal(signal.SIGINT)
        return answer

    monkeypatch.setattr(one_step, "learn_trial", interrupted)
    fails_whole(learner, KeyboardInterrupt, lambda: learner.step(*batch(1)), monkeypatch.undo)


def test_every_ctrl_c_that_waited_is_handed_on_in_order() -> None:
    heard: list[int] = []

    def hear(number: int, frame: FrameType | None) -> None:
        heard.append(number)

    before = signal.signal(signal.SIGINT, hear)
    try:
        with interrupts_wait() as hold:
            signal.raise_signal(signal.SIGINT)
            assert len(heard) == 1
            hold()
            hold()
            signal.raise_signal(signal.SIGINT)
            signal.raise_signal(signal.SIGINT)
            assert len(heard) == 1
        assert len(heard) == 3 and signal.getsignal(signal.SIGINT) is hear
    finally:
        signal.signal(signal.SIGINT, before)


@pytest.mark.parametrize("rule", ["sigprop", "dfa", "drtp", "local_readout:readouts=fixed"])
@pytest.mark.parametrize("schedule", ["by_layer", "pipelined"])
def test_no_sample_alone_is_told_its_own_targets_as_another_s(rule: str, schedule: str) -> None:
    if schedule == "pipelined" and rule == "dfa":
        schedule = "by_step"
    learner = make(rule, targets="shuffled", schedule=schedule)
    before = learner.state()
    with pytest.raises(UserError, match="at least 2"):
        learner.step(*batch(0, samples=1))
    assert same(learner.state(), before)
    learner.step(*batch(0, samples=2))


@pytest.mark.parametrize(("samples", "size"), [(7, 3), (9, 3), (8, 3), (5, 2), (3, 2), (2, 5), (4, 128), (129, 128)])
def test_an_epoch_of_shuffled_targets_has_no_batch_of_one_and_leaves_no_sample_out(samples: int, size: int) -> None:
    def places(**settings: Any) -> list[int]:
        run = object.__new__(Run)
        run.config = RULES.make("sigprop").settle(TrainConfig(batch_size=size, **settings))
        run.data = SimpleNamespace(train=range(samples))  # type: ignore[assignment]
        return [len(range(samples)[run.place(number)]) for number in range(run.batches)]

    own, shuffled = places(), places(targets="shuffled")
    assert sum(own) == sum(shuffled) == samples and min(shuffled) >= 2
    assert own == [size] * (samples // size) + ([samples % size] if samples % size else [])
    assert shuffled == own or own[-1] == 1
