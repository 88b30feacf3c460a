"""Steps that no host waits for: the same numbers, and a step that diverges changes nothing, nor do those behind it."""

from __future__ import annotations

import math
from collections.abc import Iterator

import pytest
import torch
from torch import Tensor

from neurorules import Learner
from neurorules.contracts.series import Series
from neurorules.language.errors import UserError
from neurorules.network.initial import initialise, place
from neurorules.network.model import build_model
from neurorules.network.network import settled_network
from neurorules.rules import RULES
from neurorules.torch_path.training.checks import Diverged
from neurorules.torch_path.training.doubts import Doubt, Outstanding
from neurorules.torch_path.trial.learn import learn_trial

CLASSES, INPUTS, SAMPLES = 3, 7, 6
OPTIMISERS = ["adam", "momentum", "sgd", "none", "pid"]
APPLYING = {name for name in RULES.names() if any(phase.applies for phase in RULES.make(name).phases)}


def learner(rule: str = "sigprop", queues: bool = True, **options: object) -> Learner:
    """A learner on the CPU; one that queues its steps does there what it does on a GPU."""
    made = Learner("6-d0.3-5", rule, input_shape=(INPUTS,), classes=CLASSES, device="cpu", **options)  # type: ignore[arg-type]
    made.queues = queues
    return made


def batches(made: Learner, count: int) -> Iterator[tuple[Tensor, Tensor]]:
    generator = torch.Generator().manual_seed(1)
    for _ in range(count):
        spikes = (torch.rand(made.steps, SAMPLES, INPUTS, generator=generator) < 0.6).float()
        yield spikes, torch.randint(0, CLASSES, (SAMPLES,), generator=generator)


def assert_same(one: dict[str, Tensor], other: dict[str, Tensor]) -> None:
    assert one.keys() == other.keys()
    different = [name for name, value in one.items() if not torch.equal(value, other[name])]
    assert not different


@pytest.mark.parametrize("rule", [name for name in RULES.names() if name not in APPLYING])
def test_a_queued_step_gives_the_bits_of_one_that_is_waited_for(rule: str) -> None:
    queued, waited = learner(rule), learner(rule, queues=False)
    for batch in batches(queued, 4):
        assert queued.step(*batch) == waited.step(*batch)
    assert_same(queued.state(), waited.state())


@pytest.mark.parametrize("optimizer", OPTIMISERS)
def test_optimisers_change_what_they_change_without_a_queue(optimizer: str) -> None:
    queued, waited = (learner(optimizer=optimizer, queues=queues, weight_decay=0.1) for queues in (True, False))
    for batch in batches(queued, 4):
        queued.learn(*batch), waited.learn(*batch)
    assert_same(queued.state(), waited.state())


@pytest.mark.parametrize("optimizer", OPTIMISERS)
@pytest.mark.parametrize("first", [True, False], ids=["at once", "later"])
def test_a_step_that_diverges_changes_nothing_and_neither_does_the_one_behind_it(optimizer: str, first: bool) -> None:
    made = learner(optimizer=optimizer, norm="none", weight_decay=0.1)
    good, other, last = batches(made, 3)
    if not first:
        made.step(*good)
    twin = learner(optimizer=optimizer, norm="none", weight_decay=0.1)
    twin.load(made.state())
    diverging = made.learned.parameters["readout.ff.w"]
    kept = diverging.clone()
    made.outstanding = slow = Slow()
    diverging.fill_(math.inf)
    made.learn(*other)  # nobody has read that it diverged
    diverging.copy_(kept)
    made.learn(*last)  # finite, and behind it
    slow.arrives = True
    with pytest.raises(Diverged, match="no longer finite"):
        made.step(*last)
    assert_same(made.state(), twin.state())
    assert made.step(*last) == twin.step(*last)
    assert_same(made.state(), twin.state())


class Slow(Outstanding):
    """Steps whose answers take their time."""

    arrives = False

    def settle(self, wait: bool = True) -> None:
        if self.arrives or wait:
            super().settle(wait)


def test_what_is_pushed_comes_back_once_and_in_order() -> None:
    queued, waited = learner(), learner(queues=False)
    made = list(batches(queued, 5))
    pushed = [queued.push(*batch) for batch in made]
    found = [metrics for metrics in [*pushed, *queued.flush()] if metrics is not None]
    assert found == [waited.step(*batch) for batch in made]
    assert queued.flush() == []


def test_a_doubt_is_raised_for_what_lies_outside_and_for_what_is_no_number() -> None:
    for numbers, fits in (([0.0, 2.0], True), ([-1.0, 0.0], False), ([0.0, 3.0], False), ([math.nan], False)):
        doubt = Doubt(torch.tensor(numbers), 0, 2, lambda seen: UserError(f"saw {seen}"))
        assert bool(doubt.wrong()) is not fits
        if fits:
            doubt.check(numbers)
        else:
            with pytest.raises(UserError, match="saw"):
                doubt.check(numbers)


ASK = {"weight_mirroring": "its noise is drawn on the CPU, by the number of the trial"}
"""Rules that wait for the device once in each trial, and why."""


@pytest.mark.parametrize("rule", RULES.names())
@pytest.mark.parametrize("net", ["7-6", "c4k3-n-p2-6"])
def test_no_rule_asks_the_device_for_a_number_on_the_way(rule: str, net: str) -> None:
    made, device = RULES.make(rule), torch.device("meta")
    asked = dict.fromkeys(("neuron", "readout_neuron", "norm", "connection"))
    network = settled_network(net, (1, 8, 8), CLASSES, made.defaults, "last", asked)
    try:
        model = build_model(network.on(device, torch.float32), made)
    except UserError as refused:
        assert (rule, net) == ("bsp", "c4k3-n-p2-6"), refused
        return
    learned = place(initialise(model, 0, torch.device("cpu"), torch.float32), device, torch.float32)
    drive = Series(torch.zeros(made.defaults.steps, SAMPLES, 1, 8, 8, device=device), False)
    labels = torch.zeros(SAMPLES, dtype=torch.int64, device=device)
    if rule in ASK:
        with pytest.raises(RuntimeError, match="cannot be called on meta tensors"):
            learn_trial(model, learned, drive, made.defaults.steps, labels, torch.Generator())
        return
    trial = learn_trial(model, learned, drive, made.defaults.steps, labels, torch.Generator())
    assert trial.gradients and all(value.is_meta for value in trial.gradients.values())
