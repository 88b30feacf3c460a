"""Memristive synapses against closed forms, and the moments of what they draw within four standard errors."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from hardware_models.devices.memristor import Memristor
from hardware_models.memristors import FITS
from hardware_models.nonlinearity import bend_of, deviation
from hardware_models.pulses import Law, Steps, Synapses, mean_step, pulsed
from neurorules.language.errors import UserError

S, B, LOW = 0.01, 0.8, -0.6
"""Size of a step at 0, and the bounds, of the synapses that closed forms are made for."""
PULSES = 60
LAWS = ("constant", "linear", "soft_bounds", "exponential", "power", "curve")
NAME = "hidden1.ff.w"


def synapses(n: int = 1, up: float = 1.0, down: float = 1.0) -> Synapses:
    return Synapses(*(torch.full((n,), value, dtype=torch.float64) for value in (S, S, B, LOW, up, down)))


def path(steps: Steps, start: float, sign: int, own: Synapses | None = None) -> np.ndarray:
    """The values behind 1, 2, ... pulses."""
    own, generator = own or synapses(), torch.Generator().manual_seed(0)
    x = torch.full((1,), start, dtype=torch.float64)
    values = []
    for _ in range(PULSES):
        x = pulsed(steps, own, x, torch.full((1,), float(sign)), generator, 10_000)
        values.append(x.item())
    return np.array(values)


N = np.arange(1, PULSES + 1)


def test_constant_steps_add_up_to_the_bound() -> None:
    np.testing.assert_allclose(path(Steps("constant"), 0.5, 1), np.minimum(0.5 + N * S, B), rtol=1e-12)
    np.testing.assert_allclose(path(Steps("constant"), -0.2, -1), np.maximum(-0.2 - N * S, LOW), rtol=1e-12)


def test_soft_bounds_are_approached_exponentially() -> None:
    np.testing.assert_allclose(path(Steps("soft_bounds"), 0.0, 1), B * (1 - (1 - S / B) ** N), rtol=1e-12)
    np.testing.assert_allclose(path(Steps("soft_bounds"), 0.0, -1), LOW * (1 - (1 + S / LOW) ** N), rtol=1e-12)


def test_linear_steps_are_a_geometric_series() -> None:
    own, end = synapses(up=0.5 / B, down=0.5 / -LOW), B / 0.5
    expected = end + (0.2 - end) * (1 - S / end) ** N
    np.testing.assert_allclose(path(Steps("linear"), 0.2, 1, own), np.minimum(expected, B), rtol=1e-12)


def test_a_power_of_one_is_soft_bounds_over_the_width_of_the_range() -> None:
    expected = B - (B - 0.1) * (1 - S / (B - LOW)) ** N
    np.testing.assert_allclose(path(Steps("power"), 0.1, 1), expected, rtol=1e-12)
    down = LOW + (0.1 - LOW) * (1 - S / (B - LOW)) ** N
    np.testing.assert_allclose(path(Steps("power"), 0.1, -1), down, rtol=1e-12)


@pytest.mark.parametrize("bend", [0.1, 0.5, 3.0])
def test_curves_are_those_of_neurosim(bend: float) -> None:
    most = (B - LOW) / S  # Pmax
    a = bend * most
    b = (B - LOW) / (1 - math.exp(-most / a))
    up = b * (1 - np.exp(-N / a)) + LOW
    np.testing.assert_allclose(path(Steps("curve"), LOW, 1, synapses(up=bend)), up, rtol=1e-9)
    down = B - b * (1 - np.exp(-N / a))
    np.testing.assert_allclose(path(Steps("curve"), B, -1, synapses(down=bend)), down, rtol=1e-9)
    own = synapses(up=bend)
    full = pulsed(Steps("curve"), own, own.low.clone(), torch.tensor([round(most) + 5.0]), torch.Generator(), 10_000)
    assert float(full) == B  # behind all pulses it is at the end, and stays


@pytest.mark.parametrize("sign", [1, -1])
def test_exponential_steps_are_those_of_the_formula(sign: int) -> None:
    a, b, up, down, rate_up, rate_down = 0.244, 0.2425, 0.00081, 0.36833, 12.44625, 12.78785  # aihwkit's defaults
    x, expected = 0.2, []
    for _ in range(PULSES):
        z = 2 * x / (B - LOW) * a + b
        rise, fall = max(1 - up * math.exp(rate_up * z), 0), max(1 - down * math.exp(-rate_down * z), 0)
        x = min(max(x + S * (rise if sign > 0 else -fall), LOW), B)
        expected.append(x)
    steps = Steps("exponential", 1, 1, a, b, up, down, rate_up, rate_down)
    np.testing.assert_allclose(path(steps, 0.2, sign), expected, rtol=1e-12)


@pytest.mark.parametrize("law", LAWS)
def test_a_train_is_its_pulses_one_after_the_other(law: Law) -> None:
    steps, own = Steps(law, 0.5, 0.5, 0.2, 0.1, 0.1, 0.1, 1.0, 1.0), synapses(5, 0.5, 0.5)
    x, counts = torch.linspace(-0.5, 0.7, 5, dtype=torch.float64), torch.tensor([3.0, -7.0, 0.0, 40.0, -1.0])
    generator = torch.Generator()
    together = pulsed(steps, own, x, counts, generator, 10_000)
    alone = x.clone()
    for _ in range(40):
        now = counts.sign()
        alone = torch.where(now != 0, pulsed(steps, own, alone, now, generator, 10_000), alone)
        counts = counts - now
    torch.testing.assert_close(together, alone, rtol=1e-12, atol=0)


@pytest.mark.parametrize(("law", "bend", "end"), [
    ("constant", 0.0, B), ("soft_bounds", 1.0, B), ("power", 1.5, B), ("linear", 0.5, B), ("linear", 2.0, 0.5),
    ("curve", 0.3, B),
])  # fmt: skip
def test_trains_without_end_lead_where_many_pulses_lead(law: Law, bend: float, end: float) -> None:
    own, x = synapses(2, bend, bend), torch.tensor([0.1, -0.3], dtype=torch.float64)
    ended, followed = (
        pulsed(Steps(law), own, x, torch.full((2,), 9_000.0), torch.Generator(), longest) for longest in (10, 9_000)
    )
    torch.testing.assert_close(ended, torch.full((2,), end, dtype=torch.float64))
    torch.testing.assert_close(followed, ended, atol=0.03, rtol=0)


def within(values: Tensor, mean: float, deviation: float) -> None:
    """Mean and standard deviation within four standard errors."""
    n = values.numel()
    assert abs(float(values.double().mean()) - mean) < 4 * deviation / n**0.5 + 1e-7
    fourth = float(((values.double() - values.double().mean()) ** 4).mean())
    error = math.sqrt(max(fourth - deviation**4, 0) / n) / (2 * deviation)
    assert abs(float(values.double().std()) - deviation) < 4 * error + 1e-7


def programmed(n: int = 200, **options: Any) -> tuple[Memristor, Tensor, dict[str, Any]]:
    """A chip of n x n synapses, all asked for a weight of 0 but one, so that its scale is 1."""
    device = Memristor(headroom=1.0, **options)
    state = device.init({NAME: (n, n)}, 3)
    w = torch.zeros(n, n)
    w[0, 0] = 1.0
    stored, state = device.on_parameters(state, NAME, w)
    return device, stored, state


def test_devices_differ_as_their_numbers_say() -> None:
    _, _, state = programmed(pulse=0.01)
    within(state[f"{NAME}/high"], 1.0, 0.3)
    within(state[f"{NAME}/low"], -1.0, 0.3)
    within(state[f"{NAME}/rise"], 0.01, 0.01 * math.hypot(0.3, 0.01))
    apart = state[f"{NAME}/rise"] - state[f"{NAME}/fall"]
    within(apart, 0.0, 0.01 * 0.02)  # twice the spread of the asymmetry


def test_an_asymmetry_makes_the_weaker_direction_weaker_alone() -> None:
    for asymmetry, rise, fall in ((0.3, 0.01, 0.007), (-0.3, 0.007, 0.01)):
        _, _, state = programmed(4, pulse=0.01, asymmetry=asymmetry, device_spread=0.0)
        torch.testing.assert_close(state[f"{NAME}/rise"], torch.full((4, 4), rise))
        torch.testing.assert_close(state[f"{NAME}/fall"], torch.full((4, 4), fall))


@pytest.mark.parametrize("additive", [False, True])
def test_cycles_add_a_noise_of_the_size_that_is_asked_for(additive: bool) -> None:
    n, pulses, cycle = 40_000, 9, 0.7
    own = synapses(n)
    x = torch.full((n,), 0.4, dtype=torch.float64)
    steps = Steps("soft_bounds", cycle=cycle, additive=additive)
    moved = pulsed(steps, own, x, torch.full((n,), 1.0), torch.Generator().manual_seed(1), 100) - x
    size = S * (1 - 0.4 / B)
    within(moved, size, cycle * (S if additive else size))
    steps = Steps("constant", cycle=cycle)
    many = pulsed(steps, own, x * 0, torch.full((n,), float(pulses)), torch.Generator().manual_seed(2), 100)
    within(many, pulses * S, cycle * S * pulses**0.5)


@pytest.mark.parametrize("law", LAWS)
def test_dead_devices_are_as_many_as_asked_for_and_never_move(law: Law) -> None:
    device, stored, state = programmed(dead=0.1348, dead_range=0.1, law=law, cycle_spread=0.0)
    dead = state[f"{NAME}/rise"] == 0
    n = dead.numel()
    assert abs(int(dead.sum()) - 0.1348 * n) < 4 * math.sqrt(n * 0.1348 * (1 - 0.1348))
    assert float(stored[dead].abs().max()) <= 0.1 and float(stored[dead].std()) > 0.05
    moved, _ = device.on_update(state, NAME, stored, torch.full_like(stored, 0.5))
    assert torch.equal(moved[dead], stored[dead]) and float((moved - stored)[~dead].mean()) > 0.2


def test_pulses_are_right_on_average_also_where_changes_are_smaller_than_one() -> None:
    device, stored, state = programmed(pulse=0.01, device_spread=0.0, cycle_spread=0.0)
    within_one = 0.0037
    moved, after = device.on_update(state, NAME, stored, torch.full_like(stored, within_one))
    change = (moved - stored).reshape(-1)[1:]
    assert np.allclose(np.unique(change.numpy().round(6)), [0.0, 0.01])
    p = within_one / 0.01
    within(change, within_one, 0.01 * math.sqrt(p * (1 - p)))
    assert not torch.equal(after["generator"], state["generator"])
    forgets = Memristor(pulse=0.01, rounding="nearest", headroom=1.0)
    assert torch.equal(forgets.on_update(state, NAME, stored, torch.full_like(stored, within_one))[0], stored)


def test_mixed_precision_adds_up_what_is_smaller_than_a_pulse() -> None:
    device, stored, state = programmed(3, pulse=0.01, device_spread=0.0, cycle_spread=0.0, accumulate=True)
    start = stored[1, 1].item()
    values = []
    for _ in range(8):
        stored, state = device.on_update(state, NAME, stored, torch.full_like(stored, 0.0030))
        values.append(round(stored[1, 1].item() - start, 6))
    assert values == [0.0, 0.0, 0.0, 0.01, 0.01, 0.01, 0.02, 0.02]  # 0.012 and 0.021 are due
    torch.testing.assert_close(state[f"{NAME}/owed"][1, 1], torch.tensor(0.4))
    same, _ = device.on_update(state, NAME, stored, torch.zeros_like(stored))
    assert torch.equal(same, stored)


def test_what_is_read_has_the_noise_of_the_last_write() -> None:
    device, stored, state = programmed(write_noise=5.0, pulse=0.002, device_spread=0.0, cycle_spread=0.0)
    moved, after = device.on_update(state, NAME, stored, torch.full_like(stored, 0.01))
    noise = device.on_read(after, NAME, moved) - moved
    within(noise, 0.0, 5 * 0.002)
    torch.testing.assert_close(device.on_read(after, NAME, moved), device.on_read(after, NAME, moved), rtol=0, atol=0)
    some = torch.zeros_like(moved)
    some[:100] = 0.01
    later, last = device.on_update(after, NAME, moved, some)
    fresh = device.on_read(last, NAME, later) - later
    torch.testing.assert_close(fresh[100:], noise[100:])
    assert not torch.allclose(fresh[:100], noise[:100])


def test_every_fit_says_what_it_is_and_moves_both_ways() -> None:
    for name, fit in FITS.items():
        assert fit.kind in ("measured", "simulated", "estimated") and "." in fit.source
        device, stored, state = programmed(60, fit=name)
        x = torch.zeros(1, dtype=torch.float64)
        own = Synapses(*(state[f"{NAME}/{key}"].mean().reshape(1).double() for key in Synapses._fields))
        for up in (True, False):
            assert float(mean_step(fit.steps, own, x, torch.tensor([up]))) * (1 if up else -1) > 0
        changes = [
            device.on_update(state, NAME, stored, torch.full_like(stored, dw))[0] - stored for dw in (0.05, -0.05)
        ]
        assert float(changes[0].mean()) > 0 > float(changes[1].mean())


def test_the_same_seed_is_the_same_chip_and_options_are_checked() -> None:
    one, other = (Memristor(chip=4).init({NAME: (5, 6)}, seed) for seed in (0, 1))
    assert all(torch.equal(one[key], other[key]) for key in one)
    for wrong in ({"dead": 1.5}, {"pulse": 0.0}, {"cycle_spread": -1.0}):
        with pytest.raises(UserError, match=next(iter(wrong))):
            Memristor(**wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("label", "bend"),
    [(0.01, 126.268958), (0.5, 2.519877), (1.0, 1.251653), (2.4, 0.499181), (4.88, 0.200303), (9.0, 0.022810)],
)
def test_labels_of_nonlinearity_are_those_of_neurosims_table(label: float, bend: float) -> None:
    assert bend_of(label) == pytest.approx(bend, abs=6e-7)
    p = np.linspace(0, 1, 200_001)
    curve = (1 - np.exp(-p / bend)) / (1 - np.exp(-1 / bend))
    assert deviation(bend) == pytest.approx(float((curve - p).max()), abs=1e-7)


def test_a_label_without_a_curve_is_refused() -> None:
    for label in (0.0, -2.4, 9.5, float("nan")):
        with pytest.raises(UserError, match="from 0.01 to 9"):
            bend_of(label)


def test_silver_in_silicon_goes_from_end_to_end_along_the_curves_of_its_labels() -> None:
    fit = FITS["ag_asi"]
    values = (fit.pulse, fit.pulse * (1 - fit.asymmetry), 1.0, -1.0, fit.steps.up, fit.steps.down)
    own = Synapses(*(torch.full((1,), value, dtype=torch.float64) for value in values))
    quiet, generator = fit.steps._replace(cycle=0.0), torch.Generator().manual_seed(0)
    for sign, pulses, bend in ((1, 97, 0.499181), (-1, 100, 0.200303)):
        x = torch.full((1,), -float(sign), dtype=torch.float64)
        for n in range(1, pulses + 1):
            x = pulsed(quiet, own, x, torch.full((1,), float(sign)), generator, 10_000)
            along = (1 - math.exp(-n / pulses / bend)) / (1 - math.exp(-1 / bend))
            assert float(x) * sign == pytest.approx(2 * along - 1, abs=1e-5)
        assert float(x) == pytest.approx(sign, abs=1e-6)
    assert fit.steps.additive and fit.steps.cycle * fit.pulse == pytest.approx(0.035 * 2)  # of a range of 2
