"""BrainScaleS-2: 6-bit weights with a sign, fixed patterns, and what an 8-bit ADC shows of membranes."""

from __future__ import annotations

import math

import pytest
import torch

from hardware_models.devices.brainscales2 import Brainscales2
from hardware_models.rounding import half_away
from neurorules import Learner
from neurorules.contracts.device_hooks import Place
from neurorules.language.errors import UserError

NAME = "hidden1.ff.w"
PLACE = Place("input", "hidden1", 0)
EXACT = {"cv": 0.0, "neuron_cv": 0.0, "adc_cv": 0.0, "adc_offset": 0.0, "adc_noise": 0.0}


def programmed(device: Brainscales2, w: torch.Tensor, seed: int = 0) -> tuple[torch.Tensor, dict]:
    return device.on_parameters(device.init({NAME: tuple(w.shape)}, seed), NAME, w)


def observed(v: torch.Tensor, seed: int = 0, place: Place = PLACE, age: int = 0, **spreads: float) -> torch.Tensor:
    device = Brainscales2(**{**EXACT, **spreads})
    return device.on_observe(device.on_time(device.init({NAME: (4, 4)}, seed), age), place, v)


def test_weights_have_63_steps_of_each_sign_and_half_way_goes_away_from_zero() -> None:
    device = Brainscales2(range=63.0)
    w = torch.tensor([[0.5, -0.5, 1.5, -2.5, 62.49, 63.5, -90.0, 0.49]], dtype=torch.float64)
    stored, state = programmed(device, w)
    assert stored.tolist() == [[1, -1, 2, -3, 62, 63, -63, 0]]
    codes, step, lowest, highest = device.codes(state, NAME, stored)
    assert torch.equal(codes, stored.long()) and (step, lowest, highest) == (1.0, -63, 63)
    pushed, _ = device.on_update(state, NAME, stored, torch.full_like(stored, 1000.0))
    assert pushed.tolist() == [[63] * 8]
    # The oracle in whole numbers is hxtorch's: int(w + 0.5) of what is above 0, and int(w - 0.5) of what is below.
    x = torch.linspace(-5, 5, 41, dtype=torch.float64)
    assert half_away(x).tolist() == [float(int(max(v, 0) + 0.5) + int(min(v, 0) - 0.5)) for v in x.tolist()]


def test_headroom_is_the_room_above_the_largest_weight() -> None:
    w = torch.tensor([[0.3, -0.2]])
    for headroom in (1.0, 4.0):
        _, state = programmed(Brainscales2(headroom=headroom), w)
        assert float(state[f"{NAME}/step"]) == pytest.approx(0.3 * headroom / 63)


@pytest.mark.parametrize("cv", [0.1, 0.3])
def test_fixed_patterns_have_the_spread_that_is_asked_for_and_are_one_draw_for_a_chip(cv: float) -> None:
    ones = torch.ones(400, 250)

    def read(seed: int, **spreads: float) -> torch.Tensor:
        device = Brainscales2(range=1.0, **{**EXACT, **spreads})
        stored, state = programmed(device, ones, seed)
        return device.on_read(state, NAME, stored).double()

    synapses, neurons = read(0, cv=cv), read(0, neuron_cv=cv)
    assert abs(float(synapses.mean()) - 1) <= 4 * cv / math.sqrt(synapses.numel())
    assert abs(float(synapses.std() / cv) - 1) <= 0.02 and bool((synapses > 0).all())
    assert torch.equal(neurons, neurons[:, :1].expand_as(neurons))
    assert abs(float(neurons[:, 0].mean()) - 1) <= 4 * cv / math.sqrt(400)
    assert torch.equal(read(1, cv=cv), read(1, cv=cv)) and not torch.equal(read(1, cv=cv), read(2, cv=cv))
    assert torch.equal(read(3), ones.double())


def test_the_adc_shows_whole_codes_between_its_ends() -> None:
    v = torch.tensor([0.0, 1.0, 0.5, 1 / 70, 0.4 / 70, 2.5, 3.0, -80 / 70, -5.0], dtype=torch.float64).reshape(1, 1, 9)
    codes = observed(v) * 70 + 80
    assert codes.flatten().round(decimals=9).tolist() == [80, 150, 115, 81, 80, 255, 255, 0, 0]


def test_a_neurons_read_out_has_a_gain_and_an_offset_of_its_own_that_stay() -> None:
    resting, higher = torch.zeros(3, 2, 5000, dtype=torch.float64), torch.ones(3, 2, 5000, dtype=torch.float64)
    offsets = (observed(resting, adc_offset=5.0) * 70)[0, 0]
    assert torch.equal(observed(resting, adc_offset=5.0) * 70, offsets.expand(3, 2, 5000))
    spread = math.sqrt(25 + 1 / 12)  # of rounding too
    assert abs(float(offsets.mean())) <= 4 * spread / math.sqrt(5000)
    assert abs(float(offsets.var()) / spread**2 - 1) <= 4 * math.sqrt(2 / 5000)
    gains = ((observed(higher, adc_cv=0.05) * 70 + 80) / 150)[0, 0]
    assert abs(float(gains.mean()) - 1) <= 4 * 0.05 / math.sqrt(5000)
    assert abs(float(gains.std()) / 0.05 - 1) <= 0.06
    other = Place("input", "hidden2", 0)
    assert not torch.equal(observed(resting, adc_offset=5.0), observed(resting, adc_offset=5.0, place=other))
    assert not torch.equal(observed(resting, adc_offset=5.0), observed(resting, adc_offset=5.0, seed=1))
    later = observed(resting, adc_offset=5.0, age=9, place=Place("target", "hidden1", 4))
    assert torch.equal(observed(resting, adc_offset=5.0), later)  # no phase, step or trial changes it


def test_noise_is_new_in_each_step_trial_and_phase_and_has_its_spread() -> None:
    v = torch.full((4, 5, 2000), 0.5, dtype=torch.float64)
    noise = (observed(v, adc_noise=3.0) - 0.5) * 70
    variance = 9 + 1 / 12
    assert abs(float(noise.mean())) <= 4 * math.sqrt(variance / noise.numel())
    assert abs(float(noise.var()) / variance - 1) <= 4 * math.sqrt(2 / noise.numel())
    assert not torch.equal(noise[0], noise[1])
    for change in ({"age": 20}, {"place": Place("target", "hidden1", 0)}, {"place": Place("input", "hidden2", 0)}):
        assert not torch.equal(observed(v, adc_noise=3.0), observed(v, adc_noise=3.0, **change))  # type: ignore[arg-type]


def test_a_rule_learns_from_what_is_read_and_spikes_come_from_the_true_membranes() -> None:
    exact = ":".join(f"{key}=0" for key in EXACT)
    pair = [
        Learner("12", "sigprop", input_shape=(1, 4, 4), classes=4, device="cpu", hardware=f"brainscales2:{text}")
        for text in (exact, "cv=0:neuron_cv=0:adc_noise=20:rounding=nearest")
    ]
    drive = torch.randn(6, 8, 1, 4, 4, generator=torch.Generator().manual_seed(0))
    plain, noisy = (one.respond(drive).activity[0] for one in pair)
    assert torch.equal(plain.S.values, noisy.S.values) and not torch.equal(plain.v.values, noisy.v.values)


def test_a_spread_below_zero_and_a_range_of_zero_are_refused() -> None:
    for wrong in ({"adc_noise": -1.0}, {"cv": -0.1}, {"range": 0.0}):
        with pytest.raises(UserError, match=next(iter(wrong))) as refused:
            Brainscales2(**wrong)
        assert "\n" not in str(refused.value)
