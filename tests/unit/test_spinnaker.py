"""SpiNNaker in s16.15: rounded products, the closed form against exact fractions and float64, weights that saturate."""

from __future__ import annotations

import math
from fractions import Fraction

import pytest
import torch

from hardware_models.population import Registers
from hardware_models.spinnaker import HIGHEST, LOWEST, ONE, ClosedFormLif, on_spinnaker, product
from neurorules import Learner
from neurorules.contracts.device import DEVICES
from neurorules.language.errors import UserError
from neurorules.neurons import NEURONS

NAME = "hidden1.ff.w"


def rounded(x: Fraction) -> Fraction:
    """The nearest number of s16.15, half way up, clipped to 32 bits: exact, in fractions."""
    code = math.floor(x * ONE + Fraction(1, 2))
    return Fraction(min(max(code, LOWEST), HIGHEST), ONE)


def closed_form(e: Fraction, r: Fraction, d: Fraction, theta: Fraction, arriving: list[Fraction]) -> list[tuple]:
    """(i, v before the reset, spike) of each step."""
    i = v = Fraction(0)
    rows = []
    for now in arriving:
        i = rounded(rounded(i * d) + now)
        a = rounded(i * r)
        v = rounded(a - rounded(e * rounded(a - v)))
        rows.append((i, v, v >= theta))
        v = Fraction(0) if v >= theta else v
    return rows


@pytest.mark.parametrize(
    ("x", "y", "expected"),
    [(1, ONE // 2, 1), (-1, ONE // 2, 0), (3, ONE // 2, 2), (-3, ONE // 2, -1), (1, ONE // 2 - 1, 0),
     (ONE, ONE, ONE), (HIGHEST, 2 * ONE, HIGHEST), (LOWEST, 2 * ONE, LOWEST), (HIGHEST, ONE, HIGHEST)],
)  # fmt: skip
def test_products_are_rounded_to_the_nearest_and_half_way_up(x: int, y: int, expected: int) -> None:
    assert product(torch.tensor([x]), y).tolist() == [expected]


@pytest.mark.parametrize("seed", range(4))
def test_a_neuron_is_the_closed_form_in_exact_fractions(seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    keep_v, keep_u = (int(torch.randint(1, ONE, (), generator=generator)) for _ in range(2))
    resistance = round(ONE * ONE / (ONE - keep_v))
    chip = ClosedFormLif(keep_v, resistance, keep_u, ONE)
    scale = ONE // 4 if seed else 3 * 10**8  # the first one runs into the ends of the format
    arriving = torch.randint(-scale, 2 * scale, (200, 5), generator=generator)
    wanted = [
        closed_form(*(Fraction(n, ONE) for n in (keep_v, resistance, keep_u, ONE)), column)
        for column in [[Fraction(int(a), ONE) for a in column] for column in arriving.T]
    ]
    state, fired = chip.initial(arriving[0]), 0
    for t, now in enumerate(arriving):
        spikes, v, state = chip.step(state, now)
        for n in range(5):
            i, membrane, spike = wanted[n][t]
            assert (int(state.current[n]), int(v[n]), bool(spikes[n])) == (i * ONE, membrane * ONE, spike)
            assert int(state.membrane[n]) == (0 if spike else membrane * ONE)
        fired += int(spikes.sum())
    assert 0 < fired < arriving.numel()


@pytest.mark.parametrize("beta", [0.5, 0.9, 0.99])
def test_it_stays_within_one_step_over_the_leak_of_a_neuron_in_float64(beta: float) -> None:
    chip = on_spinnaker("hidden1", NEURONS.make(f"lif:beta={beta}:v_threshold=60000")).chip
    assert isinstance(chip, ClosedFormLif) and chip.resistance is not None
    e, r = chip.keep_v / ONE, chip.resistance / ONE
    currents = torch.randn(500, 20, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    codes = torch.round(currents * ONE).long()
    state, plain = chip.initial(codes[0]), torch.zeros(20, dtype=torch.float64)
    for now in codes:
        _, v, state = chip.step(state, now)
        alpha = now / ONE * r
        plain = alpha - e * (alpha - plain)
        assert float((v / ONE - plain).abs().max()) <= 2**-15 / (1 - e)


def test_without_a_leak_the_current_is_added() -> None:
    neuron = on_spinnaker("hidden1", NEURONS.make("if"))
    state = neuron.chip.initial(torch.zeros(1))
    seen = []
    for now in (ONE // 2, ONE // 4, ONE // 4, 1):
        spikes, v, state = neuron.chip.step(state, torch.tensor([now]))
        seen.append((int(v), int(spikes)))
    assert seen == [(ONE // 2, 0), (3 * ONE // 4, 0), (ONE, 1), (1, 0)]  # it fires at the threshold too
    _, v, _ = neuron.chip.step(Registers(torch.tensor([0]), torch.tensor([HIGHEST])), torch.tensor([5]))
    assert int(v) == HIGHEST


def test_a_network_computes_what_the_chip_computes() -> None:
    one = Learner("12", "sigprop", input_shape=(1, 5, 5), classes=4, device="cpu", hardware="spinnaker",
                  neuron="cuba_lif:reset=zero", norm="none", steps=15)  # fmt: skip
    spikes = (torch.rand(15, 6, 1, 5, 5, generator=torch.Generator().manual_seed(1)) < 0.4).float()
    for seed in range(3):
        one.step(spikes, torch.randint(4, (6,), generator=torch.Generator().manual_seed(seed)))
    one.learned.parameters["hidden1.b"].zero_()
    w = one.learned.parameters[NAME].double() * ONE
    assert torch.equal(w, w.round())
    arriving = (spikes.flatten(2).double() @ w.T).long()
    chip = on_spinnaker("hidden1", NEURONS.make("cuba_lif:reset=zero")).chip
    activity, state = one.respond(spikes).activity[0], chip.initial(arriving[0])
    for t, now in enumerate(arriving):
        fired, v, state = chip.step(state, now)
        assert torch.equal(activity.S.values[t], fired.float())
        assert torch.allclose(activity.v.values[t].double(), v.double() / ONE, rtol=1e-6, atol=0)
    assert 0 < float(activity.S.values.mean()) < 1


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_weights_are_multiples_of_a_step_and_saturate_at_the_ends_of_32_bits(dtype: torch.dtype) -> None:
    device = DEVICES.make("spinnaker")
    asked = torch.tensor([[0.3, -0.3, 2**-16, 1.01 * 2**-16, 1e9, -1e9]], dtype=dtype)
    stored, state = device.on_parameters(device.init({NAME: (1, 6)}, 0), NAME, asked)
    codes, step, lowest, highest = device.codes(state, NAME, stored)
    assert (step, lowest, highest) == (2**-15, -(2**31), 2**31 - 1)
    assert codes[0, :4].tolist() == [9830, -9830, 0, 1] and int(codes[0, 5]) == lowest
    top = highest if dtype == torch.float64 else 2**31 - 2**7  # the largest number of single precision below the end
    assert int(codes[0, 4]) == top
    changed, _ = device.on_update(state, NAME, stored, torch.full_like(stored, 0.4 * step))
    assert torch.equal(changed, stored)  # rounded to the nearest: less than half a step is forgotten
    changed, _ = device.on_update(state, NAME, stored, torch.full_like(stored, 0.6 * step))
    assert (device.codes(state, NAME, changed).codes - codes)[0, :4].tolist() == [1, 1, 1, 1]


def test_stochastic_rounding_is_right_on_average_and_moves_the_generator() -> None:
    device = DEVICES.make("spinnaker:rounding=stochastic")
    state = device.init({NAME: (300, 300)}, 0)
    moved, after = device.on_update(state, NAME, torch.zeros(300, 300), torch.full((300, 300), 0.3 / ONE))
    assert abs(float((moved * ONE).mean()) - 0.3) <= 4 * (0.21 / 90_000) ** 0.5
    assert not torch.equal(state["generator"], after["generator"])


@pytest.mark.parametrize(
    ("neuron", "said"),
    [("alif", "no neuron like"), ("lif:reset=none", "reset=zero"), ("lif:v_threshold=70000", "between 3.1e-05 and 6"),
     ("lif:v_threshold=1e-6", "not a number of s16.15")],
)  # fmt: skip
def test_a_neuron_that_the_chip_does_not_have_is_refused_in_a_line(neuron: str, said: str) -> None:
    with pytest.raises(UserError, match=said) as refused:
        on_spinnaker("hidden1", NEURONS.make(neuron))
    assert "\n" not in str(refused.value)
    made = NEURONS.make(neuron)
    assert DEVICES.make("spinnaker:neurons=float").on_neuron({}, "hidden1", made) is made
