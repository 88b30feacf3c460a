"""The arithmetic of fixed-point weights and of mismatch, against what is known of it."""

from __future__ import annotations

import math

import pytest
import torch

from hardware_models.devices.fixed_point import FixedPoint
from hardware_models.mismatch import log_normal_gain
from hardware_models.rounding import nearest, saturate, short_step, stochastic
from neurorules.contracts.device import DEVICES
from neurorules.language.errors import UserError

DRAWS = 100_000
NAME = "hidden1.ff.w"


def program(text: str, w: torch.Tensor, seed: int = 0) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
    """Weights as a device stores them, and its state."""
    device = DEVICES.make(text)
    return device.on_parameters(device.init({NAME: tuple(w.shape)}, seed), NAME, w)


@pytest.mark.parametrize("bits", [2, 3, 4, 8, 16])
@pytest.mark.parametrize("power_of_two", ["true", "false"])
def test_the_quantiser_is_idempotent_monotone_and_half_a_step_off_at_most(bits: int, power_of_two: str) -> None:
    device = DEVICES.make(f"fixed_point:bits={bits}:cv=0:range=1:power_of_two={power_of_two}")
    w = torch.linspace(-1, 1, 4001).reshape(1, -1)
    stored, state = device.on_parameters(device.init({NAME: (1, 4001)}, 0), NAME, w)
    assert torch.equal(device.on_parameters(state, NAME, stored)[0], stored)
    assert len(stored.unique()) <= 2**bits
    assert (stored.diff() >= 0).all()
    step = float(state[f"{NAME}/step"])
    assert float((stored - w).abs().max()) <= step / 2 * (1 + 1e-6)
    assert torch.equal(stored / step, nearest(stored / step))
    assert power_of_two != "true" or math.frexp(step)[0] == 0.5


@pytest.mark.parametrize("x", [-3.75, -0.01, 0.0, 0.3, 1.5, 100.125])
def test_stochastic_rounding_is_right_on_average(x: float, generator: torch.Generator) -> None:
    drawn = stochastic(torch.full((DRAWS,), x), generator)
    assert set(drawn.unique().tolist()) <= {math.floor(x), math.ceil(x)}
    up = x - math.floor(x)
    assert abs(float(drawn.double().mean()) - x) <= 4 * math.sqrt(up * (1 - up) / DRAWS) + 1e-7


def test_stochastic_rounding_leaves_whole_numbers(generator: torch.Generator) -> None:
    whole = torch.arange(-(2**15), 2**15).float().repeat(20)
    assert torch.equal(stochastic(whole, generator), whole)


def test_codes_saturate_at_the_ends_of_twos_complement() -> None:
    assert saturate(torch.tensor([-9.0, -8.0, 7.0, 8.0]), 4).tolist() == [-8.0, -8.0, 7.0, 7.0]


def test_updates_saturate_at_the_range() -> None:
    text = "fixed_point:bits=4:cv=0:range=0.875:power_of_two=true"
    stored, state = program(text, torch.zeros(2, 1))
    stored, _ = DEVICES.make(text).on_update(state, NAME, stored, torch.tensor([[10.0], [-10.0]]))
    assert stored.flatten().tolist() == [0.875, -1.0]


@pytest.mark.parametrize("step", [1e-4, 0.01, 0.0117, 0.5, 1.0, 3.3])
def test_a_short_step_times_any_code_is_exact(step: float) -> None:
    short = short_step(step, 8)
    assert step <= short < step * (1 + 2**-7)
    codes = torch.arange(-(2**15), 2**15)
    assert torch.equal((codes.float() * short).double(), codes.double() * short)
    assert torch.equal((codes.float() * short) / short, codes.float())


@pytest.mark.parametrize("cv", [0.1, 0.2, 0.5])
def test_mismatch_has_mean_one_and_the_variation_asked_for(cv: float, generator: torch.Generator) -> None:
    gain = log_normal_gain((DRAWS,), cv, generator).double()
    assert (gain > 0).all()
    assert abs(float(gain.mean()) - 1) <= 4 * cv / math.sqrt(DRAWS)
    assert abs(float(gain.std() / gain.mean()) / cv - 1) <= 0.02


def test_no_mismatch_and_many_bits_give_the_weights_themselves(generator: torch.Generator) -> None:
    w = torch.randn(30, 20, generator=generator)
    device = DEVICES.make("fixed_point:bits=16:cv=0")
    stored, state = program("fixed_point:bits=16:cv=0", w)
    assert torch.equal(device.on_read(state, NAME, stored), stored)
    assert float((stored - w).abs().max()) <= float(state[f"{NAME}/step"]) / 2 * (1 + 1e-6)
    assert float(state[f"{NAME}/step"]) < 1e-3 * float(w.abs().max())


@pytest.mark.parametrize(("mismatch", "shape"), [("synapse", (8, 3, 5, 5)), ("neuron", (8, 1, 1, 1))])
def test_gains_belong_to_synapses_or_to_neurons(mismatch: str, shape: tuple[int, ...]) -> None:
    stored, state = program(f"fixed_point:mismatch={mismatch}", torch.ones(8, 3, 5, 5))
    assert state[f"{NAME}/gain"].shape == shape
    read = DEVICES.make(f"fixed_point:mismatch={mismatch}").on_read(state, NAME, stored)
    assert read.shape == stored.shape and not torch.equal(read[0], read[1])


def test_a_numbered_chip_is_the_same_in_every_run() -> None:
    w = torch.ones(4, 4)
    one, other = (program("fixed_point:chip=7", w, seed)[1] for seed in (0, 1))
    assert torch.equal(one[f"{NAME}/gain"], other[f"{NAME}/gain"])


def test_weights_that_start_at_zero_have_room_to_grow() -> None:
    _, state = program("fixed_point:bits=8:headroom=2", torch.zeros(10, 64))
    assert float(state[f"{NAME}/step"]) * 127 == pytest.approx(2 / 8, rel=0.01)


def test_nearest_rounding_forgets_small_changes_and_stochastic_rounding_does_not() -> None:
    w, dw = torch.zeros(100, 100), torch.full((100, 100), 0.1 / 127)
    for rounding, expected in (("nearest", 0.0), ("stochastic", 0.1 / 127)):
        text = f"fixed_point:cv=0:range=1:rounding={rounding}"
        stored, state = program(text, w)
        moved, _ = DEVICES.make(text).on_update(state, NAME, stored, dw)
        assert float(moved.mean()) == pytest.approx(expected, rel=0.15)


@pytest.mark.parametrize(
    "option",
    ["bits=1", "bits=17", "bits=2.5", "cv=-0.1", "cv=nan", "cv=inf", "range=0", "headroom=-1", "chip=-1", "mismatch=x"],
)
def test_a_value_outside_its_range_is_refused_in_one_line(option: str) -> None:
    with pytest.raises(UserError, match=f"'fixed_point'.*{option.split('=')[0]}") as refused:
        DEVICES.make(f"fixed_point:{option}")
    assert "\n" not in str(refused.value)


@pytest.mark.cuda
def test_a_chip_stores_the_same_bits_on_a_gpu(generator: torch.Generator) -> None:
    w, dw = torch.randn(2, 30, 20, generator=generator)
    device = FixedPoint(bits=6, cv=0.2)
    found = []
    for place in ("cpu", "cuda"):
        stored, state = device.on_parameters(device.init({NAME: (30, 20)}, 0), NAME, w.to(place))
        resumed = {key: value.to(place) for key, value in state.items()}
        stored, after = device.on_update(resumed, NAME, stored, dw.to(place))
        found.append((stored.cpu(), device.on_read(after, NAME, stored).cpu(), after["generator"].cpu()))
    assert all(torch.equal(one, other) for one, other in zip(*found, strict=True))
