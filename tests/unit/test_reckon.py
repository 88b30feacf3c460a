"""ReckOn: a table of five segments through which rules see membranes, and weights that move by one step at random."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from hardware_models.devices.reckon import Reckon
from neurorules import Learner
from neurorules.contracts.device import DEVICES
from neurorules.contracts.device_hooks import Place
from neurorules.language.errors import UserError
from neurorules.surrogates import make_surrogate

NAME = "hidden1.ff.w"
PLACE = Place("input", "hidden1", 0)


def seen(v: list[float], text: str = "reckon") -> list[float]:
    device = DEVICES.make(text)
    shown = device.on_observe({}, PLACE, torch.tensor(v, dtype=torch.float64).reshape(1, 1, -1))
    return [round(float(x), 9) for x in shown.flatten()]


def test_membranes_are_told_apart_by_four_comparisons() -> None:
    third = 1 / 3
    below, at, above = -1e-9, 0.0, 1e-9
    for cut, low, high in (
        (0.0, 0.0, 1 - 2 * third),
        (1 - third, third, 1.0),
        (1 + third, 1.0, 1 + 2 * third),
        (2, 5 / 3, 2),
    ):
        assert seen([cut + below]) == [round(low, 9)] and seen([cut + above]) == [round(high, 9)]
    assert seen([2.0 + at, 0.0 + at]) == [2.0, round(third, 9)]  # at a cut, the segment above
    assert seen([-9.0, 0.1, 1.0, 1.9, 9.0]) == [0.0, round(third, 9), 1.0, round(5 / 3, 9), 2.0]
    assert seen([-9.0, 3.0, 4.9, 9.0], "reckon:width=2:threshold=3") == [1.0, 3.0, round(3 + 4 / 3, 9), 5.0]


@pytest.mark.parametrize("text", ["triangle", "triangle:height=1", "fast_sigmoid"])
def test_every_surrogate_becomes_a_table_of_five_values(text: str) -> None:
    psi, v = make_surrogate(text).psi, torch.linspace(-3, 5, 4001, dtype=torch.float64).reshape(1, 1, -1)
    table = psi(DEVICES.make("reckon").on_observe({}, PLACE, v) - 1)
    assert len(table.round(decimals=9).unique()) == 3  # the five are symmetrical
    x = v - 1
    assert torch.equal(
        table[x.abs() < 1 / 3 - 1e-9], psi(torch.zeros(1).double()).expand(int((x.abs() < 1 / 3 - 1e-9).sum()))
    )
    if text.startswith("triangle"):
        assert not bool(table[x.abs() > 1].any())
        assert (
            float((table - psi(x)).abs().max()) <= psi(torch.zeros(1)).item() / 3 + 1e-6
        )  # its slope times half a segment


def test_a_rule_learns_through_the_table_and_scores_are_read_as_they_are() -> None:
    pair = [
        Learner(
            "12",
            "eprop",
            input_shape=(1, 4, 4),
            classes=4,
            device="cpu",
            hardware=text,
            norm="none",
            neuron="lif:surrogate=triangle",
        )
        for text in ("fixed_point:bits=8:cv=0", "reckon")
    ]
    drive = (torch.rand(6, 8, 1, 4, 4, generator=torch.Generator().manual_seed(0)) < 0.5).float()
    w = pair[0].learned.parameters
    for name in w:
        pair[1].learned.parameters[name].copy_(w[name])
    plain, table = (one.respond(drive).activity for one in pair)
    assert torch.equal(plain[0].S.values, table[0].S.values)
    shown = DEVICES.make("reckon").on_observe({}, PLACE, plain[0].v.values)
    assert (
        torch.equal(table[0].v.values, shown) and len(shown.unique()) <= 5 and not torch.equal(shown, plain[0].v.values)
    )
    assert torch.equal(plain[-1].v.values, table[-1].v.values)


def test_a_change_moves_a_code_by_one_step_at_most_and_is_right_on_average() -> None:
    device = Reckon(range=127.0)
    state = device.init({NAME: (300, 300)}, 0)
    stored, state = device.on_parameters(state, NAME, torch.full((300, 300), 5.0))
    assert float(state[f"{NAME}/step"]) == 1.0
    for asked in (0.3, -0.02, 4.0, -1.0):
        moved, _ = device.on_update(state, NAME, stored, torch.full((300, 300), asked))
        step = (moved - stored).double()
        wanted = max(-1.0, min(1.0, asked))
        assert float(step.abs().max()) <= 1
        assert abs(float(step.mean()) - wanted) <= 4 * (abs(wanted) * (1 - abs(wanted)) / 90_000) ** 0.5
    again = replace(device, chip=3)
    one, other = (
        d.on_update(
            d.init({NAME: (300, 300)}, 0) | {f"{NAME}/step": state[f"{NAME}/step"]},
            NAME,
            stored,
            torch.full((300, 300), 0.5),
        )[0]
        for d in (device, again)
    )
    assert not torch.equal(one, other)


def test_codes_have_8_bits() -> None:
    device = Reckon(range=1.0)
    stored, state = device.on_parameters(device.init({NAME: (1, 4)}, 0), NAME, torch.tensor([[9.0, -9.0, 0.5, -0.1]]))
    codes = device.codes(state, NAME, stored)
    assert codes.codes.tolist() == [[127, -128, 64, -13]] and (codes.lowest, codes.highest) == (-128, 127)


def test_a_width_of_zero_is_refused() -> None:
    with pytest.raises(UserError, match="width") as refused:
        Reckon(width=0.0)
    assert "\n" not in str(refused.value)
