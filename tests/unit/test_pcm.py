"""Phase-change memory: the moments of programming, drift and reading, within four standard errors of the formulas."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor

from hardware_models.devices.pcm import PhaseChangeMemory
from hardware_models.pcm import Programmed, drift_exponents, drifted, program, programming_spread, read
from hardware_models.pcm_pulses import pulsed
from neurorules.language.errors import UserError

N = 200_000
NAME = "hidden1.ff.w"


def near(value: float, expected: float, error: float) -> None:
    assert abs(value - expected) < 4 * error, (value, expected, error)


def moments(values: Tensor, mean: float, deviation: float) -> None:
    """Those of a normal distribution."""
    near(float(values.mean()), mean, deviation / len(values) ** 0.5)
    near(float(values.std()), deviation, deviation / (2 * len(values)) ** 0.5)


def cells(x: float) -> Programmed:
    return program(torch.full((N,), 25 * x, dtype=torch.float64), torch.Generator().manual_seed(5))


@pytest.mark.parametrize(("x", "spread"), [(0.2, 0.6096), (0.5, 0.9527), (1.0, 1.0554)])
def test_programming_spreads_as_measured(x: float, spread: float) -> None:
    assert round(float(programming_spread(torch.tensor(25 * x))), 4) == spread
    made = cells(x)
    moments(made.g, 25 * x, spread)
    mean, deviation = (float(one) for one in drift_exponents(torch.tensor(25.0 * x, dtype=torch.float64)))
    assert (round(mean, 4), round(deviation, 4)) == {
        0.2: (0.0493, 0.0142), 0.5: (0.049, 0.008), 1.0: (0.049, 0.008)
    }[x]  # fmt: skip
    near(float(made.nu.mean()), mean, deviation / N**0.5 + 1e-5)
    near(float(made.nu.std()), deviation, deviation / (2 * N) ** 0.5 + 1e-5)


def test_what_is_asked_for_as_nothing_is_half_a_normal_distribution() -> None:
    spread = 0.26348
    made = cells(0.0).g
    near(float((made == 0).double().mean()), 0.5, 0.5 / N**0.5)
    deviation = spread * math.sqrt(0.5 - 1 / (2 * math.pi))
    near(float(made.mean()), spread / math.sqrt(2 * math.pi), deviation / N**0.5)
    assert abs(float(made.std()) - deviation) < 0.002


@pytest.mark.parametrize(("seconds", "mean", "relative"), [
    (0.0, 12.5, 0.0577), (1.0, 12.47, 0.0579), (3600.0, 9.64, 0.0660), (86400.0, 8.225, 0.0703),
])  # fmt: skip
def test_drift_and_reading_over_time(seconds: float, mean: float, relative: float) -> None:
    devices = Programmed(torch.full((N,), 12.5, dtype=torch.float64), torch.full((N,), 0.05, dtype=torch.float64))
    there = 12.5 * ((seconds + 20) / 20) ** -0.05
    assert abs(there - mean) < 5e-3
    torch.testing.assert_close(drifted(devices, seconds)[0].item(), there)
    q = min(0.0088 / 0.5**0.65, 0.2)
    expected = q * math.sqrt(math.log((seconds + 20 + 250e-9) / (2 * 250e-9)))
    assert abs(expected - relative) < 4 * relative / (2 * N) ** 0.5
    moments(read(devices, seconds, torch.Generator().manual_seed(1)), there, there * expected)


def chip(n: int = 300, **options: Any) -> tuple[PhaseChangeMemory, Tensor, dict[str, Any]]:
    """Weights of which half are 0.5 and half -0.5, on a range of 1."""
    device = PhaseChangeMemory(headroom=2.0, **options)
    w = torch.full((n, n), 0.5)
    w[n // 2 :] = -0.5
    stored, state = device.on_parameters(device.init({NAME: (n, n)}, 7), NAME, w)
    return device, stored, state


def test_a_pair_stores_a_weight_of_either_sign() -> None:
    _, stored, state = chip()
    spread, rest = 0.9527, 0.26348
    mean = 12.5 - rest / math.sqrt(2 * math.pi)  # the other cell of the pair, asked for 0
    deviation = math.hypot(spread, rest * math.sqrt(0.5 - 1 / (2 * math.pi)))
    upper = stored[:150].reshape(-1).double() * 25
    near(float(upper.mean()), mean, deviation / len(upper) ** 0.5)
    near(float(upper.std()), deviation, deviation / (2 * len(upper)) ** 0.5)
    near(float(stored[150:].mean() * 25), -mean, deviation / len(upper) ** 0.5)
    assert float(state[f"{NAME}/scale"]) == 25.0


def test_a_day_later_weights_are_smaller_by_the_drift() -> None:
    device, stored, state = chip(reading=0.0)
    later = PhaseChangeMemory(headroom=2.0, reading=0.0, age_s=86400.0)
    ratio = (later.on_read(state, NAME, stored) / device.on_read(state, NAME, stored)).reshape(-1).double()
    expected = (86420 / 20) ** -0.049
    assert abs(float(ratio.mean()) - expected) < 0.01
    still = PhaseChangeMemory(headroom=2.0, reading=0.0, drift=0.0, age_s=86400.0)
    _, plain, other = chip(reading=0.0, drift=0.0)
    torch.testing.assert_close(still.on_read(other, NAME, plain), plain)


def test_compensated_readings_keep_the_size_that_drift_takes() -> None:
    plain, made = ({}, {"compensated": True})
    sizes = []
    for more in (plain, made):
        device, stored, state = chip(200, reading=0.0, age_s=86400.0, **more)
        read = device.on_read(state, NAME, stored)
        sizes.append(float(read.abs().sum() / stored.abs().sum()))
        assert float(torch.corrcoef(torch.stack([read.flatten(), stored.flatten()]))[0, 1]) > 0.98
    assert sizes[0] < 0.75 and sizes[1] == pytest.approx(1.0, abs=0.03)
    device, stored, state = chip(20, reading=0.0, drift=0.0, compensated=True)
    torch.testing.assert_close(device.on_read(state, NAME, stored), stored)


def test_time_goes_on_by_the_steps_of_trials_and_readings_are_drawn_anew() -> None:
    device, stored, state = chip(40, step_s=2.0)
    first = device.on_read(state, NAME, stored)
    assert torch.equal(first, device.on_read(state, NAME, stored))
    after = device.on_time(state, 500)
    assert float(after["clock"]) == 1000.0
    second = device.on_read(after, NAME, stored)
    assert not torch.equal(first, second)
    assert float(second.abs().mean() / first.abs().mean()) == pytest.approx((1020 / 20) ** -0.049, rel=0.03)


def test_only_pairs_whose_change_is_due_are_programmed_anew() -> None:
    device, stored, state = chip(due=0.1)
    dw = torch.zeros_like(stored)
    dw[:, :100], dw[:, 100:200] = 0.2, 0.04
    moved, after = device.on_update(device.on_time(state, 1000), NAME, stored, dw)
    assert float((moved - stored)[:, :100].mean()) == pytest.approx(0.2, abs=0.02)
    assert torch.equal(moved[:, 100:], stored[:, 100:])
    assert bool((after[f"{NAME}/plus/born"][:, :100] == 1).all()) and bool(
        (after[f"{NAME}/plus/born"][:, 100:] == 0).all()
    )
    torch.testing.assert_close(after[f"{NAME}/owed"][:, 100:200], torch.full((300, 100), 0.04))
    assert not after[f"{NAME}/owed"][:, :100].any()
    for _ in range(2):
        moved, after = device.on_update(after, NAME, moved, dw)
    assert float((moved - stored)[:, 100:200].mean()) == pytest.approx(0.12, abs=0.02)  # three of 0.04 are due
    assert torch.equal(moved[:, 200:], stored[:, 200:])


def test_without_noise_and_drift_it_stores_what_is_asked_for() -> None:
    device, stored, state = chip(20, programming=0.0, drift=0.0, reading=0.0, accumulate=False, age_s=1e6)
    dw = 0.1 * torch.randn(20, 20, generator=torch.Generator().manual_seed(1))
    moved, after = device.on_update(state, NAME, stored, dw)
    torch.testing.assert_close(moved, stored + dw)
    torch.testing.assert_close(device.on_read(after, NAME, moved), moved)


def test_options_are_checked() -> None:
    for wrong in ({"due": 2.0}, {"age_s": -1.0}, {"headroom": 0.0}):
        with pytest.raises(UserError, match=next(iter(wrong))):
            PhaseChangeMemory(**wrong)  # type: ignore[arg-type]


def test_a_pulse_adds_what_was_measured_and_spreads_as_measured() -> None:
    for x in (0.1, 0.4, 0.7):
        before = Programmed(torch.full((N,), 25 * x, dtype=torch.float64), torch.zeros(N, dtype=torch.float64))
        after = pulsed(before, torch.ones(N), torch.Generator().manual_seed(3))
        w = 2 * x
        step = 0.01 * (1 + 27.235 * math.exp(-2.5 * w))
        spread = 0.6 * (step + 0.042 + 0.108 * w)
        if x < 0.5:  # where no cell comes to the end of the range
            inside = (after.g > 0) & (after.g < 25)
            assert float((~inside).double().mean()) < 1e-2
        moved = (after.g - before.g)[(after.g > 0) & (after.g < 25)] / 12.5
        near(float(moved.mean()), step, spread / N**0.5 + 2e-3 * (x < 0.2))
        near(float(moved.std()), spread, spread / (2 * N) ** 0.5 + 4e-3 * (x < 0.2))
        mean, deviation = (one.mean() for one in drift_exponents(after.g))
        near(float(after.nu.mean()), float(mean), float(deviation) / N**0.5 + 1e-4)


def test_trains_without_noise_are_their_pulses_one_by_one() -> None:
    counts = torch.tensor([0, 1, 2, 7, 40])
    start = Programmed(torch.tensor([3.0, 0.0, 5.0, 0.0, 0.0], dtype=torch.float64), torch.full((5,), 0.07).double())
    after = pulsed(start, counts, torch.Generator(), noise=0.0)
    for g, n, end, nu in zip(start.g.tolist(), counts.tolist(), after.g.tolist(), after.nu.tolist(), strict=True):
        w = g / 12.5
        for _ in range(n):
            w = min(w + 0.01 * (1 + 27.235 * math.exp(-2.5 * w)), 2.0)
        assert end == pytest.approx(w * 12.5, rel=1e-12)
        assert (nu == 0.07) == (n == 0) or n == 0
    assert float(after.nu[0]) == pytest.approx(0.07) and bool((after.nu[1:] != start.nu[1:]).all())


def test_learning_by_pulses_moves_one_cell_of_a_pair_and_starts_its_drift_anew() -> None:
    device, stored, state = chip(writes="pulses", due=0.04, reading=0.0)
    later = device.on_time(state, 5000)
    dw = torch.zeros_like(stored)
    dw[:, :100], dw[:, 100:200], dw[:, 200:] = 0.121, -0.121, 0.03  # three pulses up, three down, less than one
    moved, after = device.on_update(later, NAME, stored, dw)
    g = {side: (state[f"{NAME}/{side}/g"], after[f"{NAME}/{side}/g"]) for side in ("plus", "minus")}
    born = {side: after[f"{NAME}/{side}/born"] for side in ("plus", "minus")}
    assert torch.equal(*(one[:, 100:] for one in g["plus"])) and torch.equal(*(one[:, 200:] for one in g["minus"]))
    assert torch.equal(*(one[:, :100] for one in g["minus"])) and not torch.equal(*(one[:, :100] for one in g["plus"]))
    assert bool((born["plus"][:, :100] == 5).all()) and bool((born["plus"][:, 100:] == 0).all())
    assert bool((born["minus"][:, 100:200] == 5).all()) and bool((born["minus"][:, :100] == 0).all())
    assert torch.equal(moved[:, 200:], stored[:, 200:])
    torch.testing.assert_close(after[f"{NAME}/owed"][:, 200:], torch.full((300, 100), 0.03))
    torch.testing.assert_close(after[f"{NAME}/owed"][:, :100], torch.full((300, 100), 0.001), atol=1e-6, rtol=0)
    change = moved - stored
    assert float(change[:, :100].mean()) > 0 > float(change[:, 100:200].mean())
    # a cell without conductance (the minus cell of the upper half) moves farther than one at 12.5 uS
    assert float(change[:150, 100:200].mean()) < 2 * float(-change[:150, :100].mean())
    quiet = PhaseChangeMemory(headroom=2.0, reading=0.0, writes="pulses", drift=0.0)
    day = PhaseChangeMemory(headroom=2.0, reading=0.0, writes="pulses", age_s=86400.0)
    kept, aged = (one.on_read(after, NAME, moved)[150:, 100:200] for one in (quiet, day))
    assert float(aged.abs().mean()) < 0.8 * float(kept.abs().mean())


@pytest.mark.parametrize(("full", "used"), [(0.75, 0.25), (0.3, 0.05)])
def test_a_pair_that_is_used_up_is_written_anew_with_its_difference(full: float, used: float) -> None:
    device, stored, state = chip(40, writes="pulses", due=0.04, programming=0.0, full=full, used=used)
    for _ in range(12):
        for sign in (1.0, -1.0):
            stored, state = device.on_update(state, NAME, stored, torch.full_like(stored, sign * 0.4))
    low = torch.minimum(state[f"{NAME}/plus/g"], state[f"{NAME}/minus/g"])
    high = torch.maximum(state[f"{NAME}/plus/g"], state[f"{NAME}/minus/g"])
    assert not bool(((low > used * 25) & (high > full * 25)).any())
    difference = (state[f"{NAME}/plus/g"] - state[f"{NAME}/minus/g"]) / 25
    torch.testing.assert_close(stored, difference.float())


def test_pulses_are_rounded_at_random_where_nothing_is_added_up() -> None:
    device, stored, state = chip(writes="pulses", due=0.04, accumulate=False)
    moved, after = device.on_update(state, NAME, stored, torch.full_like(stored, 0.01))
    share = float((moved != stored).double().mean())
    near(share, 0.25, math.sqrt(0.25 * 0.75 / stored.numel()))
    assert not after[f"{NAME}/owed"].any()
    with pytest.raises(UserError, match="due is 0"):
        PhaseChangeMemory(writes="pulses", due=0.0)
