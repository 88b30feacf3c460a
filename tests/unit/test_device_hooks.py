"""What a device may be beside a memory of weights, as a whole training sees it: noise, traces, time and neurons."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import torch

from neurorules import Learner
from neurorules.contracts.chip import Chip
from neurorules.contracts.device import DEVICES
from neurorules.contracts.device_chain import chain
from neurorules.contracts.device_hooks import Place
from neurorules.language.errors import UserError
from neurorules.language.neuron_trace import Trace

NOISY, SINGLE = "wrong_device", "wrong_device:fault=own"
SHAPE, CLASSES, STEPS = (1, 4, 4), 4, 6


@pytest.fixture(autouse=True)
def _listed(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A device with every hook is listed while a test runs."""
    monkeypatch.syspath_prepend(str(__import__("pathlib").Path(__file__).parents[1] / "contract"))
    monkeypatch.setitem(DEVICES.modules, "wrong_device", "wrong_entries.wrong_device")
    yield


def learner(hardware: str, rule: str = "sigprop", **settings: Any) -> Learner:
    return Learner("12-10", rule, input_shape=SHAPE, classes=CLASSES, device="cpu", hardware=hardware, **settings)


def batch(seed: int = 0, dtype: torch.dtype = torch.float32) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    spikes = (torch.rand(STEPS, 8, *SHAPE, generator=generator, dtype=dtype) < 0.5) * 1.5
    return spikes.to(dtype), torch.randint(CLASSES, (8,), generator=generator)


def test_rules_see_the_membranes_that_the_chip_shows_and_spikes_come_from_the_true_ones() -> None:
    plain, noisy = learner("wrong_device:strength=0"), learner(NOISY)
    noisy.store.hardware_state = {**plain.store.hardware_state}  # the same gains, which are all 1
    true, seen = plain.respond(batch()[0]).activity, noisy.respond(batch()[0]).activity
    chip = noisy.store.chip()
    assert chip is not None
    for layer, a, b in zip(("hidden1", "hidden2", "readout"), true, seen, strict=True):
        shown = chip.observed(Place("input", layer, 0), a.v.values)
        assert torch.equal(b.v.values, shown) and not torch.equal(shown, a.v.values)
        assert torch.equal(a.S.values, b.S.values) == (layer != "readout")
    assert torch.equal(seen[-1].S.values, seen[-1].v.values)  # scores are read from the chip as well
    with pytest.raises(UserError, match="reads `i_post`.* where a chip reads out membranes alone"):
        learner(NOISY, "dfa", dw="-m_post * i_post * S_pre").step(*batch())


def test_noise_changes_what_is_learned_and_is_new_in_every_trial() -> None:
    plain, noisy = learner("wrong_device:strength=0"), learner(NOISY)
    noisy.store.hardware_state = {**plain.store.hardware_state}
    first = noisy.respond(batch()[0]).activity[0].v.values
    for one in (plain, noisy):
        one.step(*batch())
    name = "hidden1.ff.w"
    assert not torch.equal(plain.read()[name], noisy.read()[name])
    plain.store.load(noisy.learned.parameters, noisy.state(), True)  # equal weights again
    again = noisy.respond(batch()[0]).activity[0].v.values
    noise_before = first - plain.respond(batch()[0]).activity[0].v.values
    assert not torch.equal(again, first) and noise_before.shape == again.shape
    assert int(noisy.store.hardware_state["age"]) == STEPS * 8


@pytest.mark.parametrize(("hardware", "rule"), [(NOISY, "sigprop"), (SINGLE, "stdp"), (SINGLE, "triplet_stdp")])
@pytest.mark.parametrize("window", ["by_step", "4"])
def test_all_windows_learn_the_same_under_noise(hardware: str, rule: str, window: str) -> None:
    pair = [learner(hardware, rule, precision="float64", schedule=schedule) for schedule in ("by_layer", window)]
    for seed in range(3):
        for one in pair:
            one.step(*batch(seed, torch.float64))
    whole, cut = (one.read() for one in pair)
    assert all(torch.allclose(whole[name], cut[name], rtol=0, atol=1e-3) for name in whole)
    close = sum(int(((whole[name] - cut[name]).abs() < 1e-9).sum()) for name in whole)
    assert close > 0.99 * sum(value.numel() for value in whole.values())  # the device stores multiples of a step


def test_traces_are_those_of_the_chip() -> None:
    pair = [learner(hardware, "stdp", seed=1) for hardware in (NOISY, SINGLE)]
    for one in pair:
        one.step(*batch())
    assert not torch.equal(pair[0].read()["hidden1.ff.w"], pair[1].read()["hidden1.ff.w"])


@pytest.mark.parametrize("hardware", [NOISY, SINGLE, f"{NOISY}+{SINGLE}"])
def test_a_learner_under_all_hooks_resumes_to_the_same_bits(hardware: str) -> None:
    through, stopped, resumed = (learner(hardware) for _ in range(3))
    for seed in range(2):
        for one in (through, stopped):
            one.step(*batch(seed))
    resumed.load(stopped.state())
    for one in (through, resumed):
        one.step(*batch(5))
    one, other = through.state(), resumed.state()
    assert one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def test_a_step_that_fails_takes_no_time(monkeypatch: pytest.MonkeyPatch) -> None:
    one = learner(NOISY)
    monkeypatch.setattr(type(one.hardware), "on_update", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        one.step(*batch())
    assert int(one.store.hardware_state["age"]) == 0


def test_two_devices_that_bring_what_is_single_are_refused_by_name() -> None:
    with pytest.raises(
        UserError, match=r"'wrong_device:fault=own' and 'wrong_device:fault=window'.*neurons of its own"
    ):
        chain("wrong_device:fault=own+fixed_point+wrong_device:fault=window")


def test_a_chain_does_what_each_of_its_devices_does() -> None:
    both = chain(f"{NOISY}+{SINGLE}")
    chip = Chip(both, both.init({"hidden1.ff.w": (3, 4)}, 0))
    assert chip.observes and chip.traces
    older = Chip(both, chip.after(7)).after(3)
    assert {int(older["0/age"]), int(older["1/age"])} == {10}
    v, place = torch.randn(4, 2, 3), Place("input", "hidden1", 0)
    first, second = (device.on_observe(state, place, v) - v for device, state in chip.parts)  # type: ignore[attr-defined]
    assert torch.allclose(chip.observed(place, v), v + first + second)
    assert chip.traced(place, Trace("x", 0.5), "post.x", v.abs(), None).shape == v.shape


def test_a_plain_device_changes_nothing_but_weights() -> None:
    chip = Chip(chain("fixed_point"), {})
    assert not chip.observes and not chip.traces and chip.after(5) is chip.state
    neuron = learner("fixed_point").model.network.layers[0].neuron
    assert chip.neuron("hidden1", neuron) is neuron
    with pytest.raises(LookupError):
        chip.traced(Place("input", "hidden1", 0), Trace("x", 0.5), "post.x", torch.zeros(1, 1, 1), None)
