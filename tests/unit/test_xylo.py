"""Xylo in whole numbers: traces of its simulator's order, decays by shifts, several spikes in a step, nets on it."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch

from hardware_models.population import Registers
from hardware_models.xylo import HIGHEST, LOWEST, XyloLif, dash_of, decay, on_xylo
from neurorules import Learner
from neurorules.contracts.device import DEVICES
from neurorules.language.config import TrainConfig
from neurorules.language.errors import UserError
from neurorules.neurons import NEURONS
from neurorules.runner.deploy import deploy_run
from neurorules.torch_path.training.trainer import train

NAME = "hidden1.ff.w"
TRACE = [(75, 75, 0), (57, 128, 0), (43, 163, 0), (183, 36, 1), (138, 172, 0), (104, 266, 0), (78, 28, 1),
         (59, 86, 0), (45, 126, 0), (34, 153, 0)]  # fmt: skip
"""(I, V, n) of each step for a weight of 100, dash_syn 2, dash_mem 4, threshold 300 and spikes 1, 0, 0, 2, 0, ..."""
BELOW = [(-75, -75), (-56, -126), (-42, -160), (-31, -181), (-23, -192), (-17, -197)]
"""(I, V) for a weight of -100 and one spike."""


def clipped(x: int) -> int:
    return max(-32768, min(32767, x))


def taken(x: int, dash: int) -> int:
    """What a step takes away, in Python's whole numbers."""
    shifted = x >> dash
    return shifted if shifted else (x > 0) - (x < 0)


def by_hand(chip: XyloLif, arriving: list[list[int]]) -> list[tuple[int, int, int]]:
    """(I, V, n) after each step, each spike delivered and saturated on its own."""
    current = v = 0
    rows = []
    for deliveries in arriving:
        for weight in deliveries:
            current = clipped(current + weight)
        current -= taken(current, chip.dash_syn)
        change = clipped(clipped(current - taken(v, chip.dash_mem)) + chip.bias)
        v, n = clipped(v + change), 0
        while v >= chip.threshold and n < chip.most:
            v, n = v - chip.threshold, n + 1
        rows.append((current, v, n))
    return rows


def run(chip: XyloLif, arriving: torch.Tensor) -> list[tuple[torch.Tensor, torch.Tensor, torch.Tensor]]:
    state, rows = chip.initial(arriving[0]), []
    for now in arriving:
        fired, _, state = chip.step(state, now)
        rows.append((state.current, state.membrane, fired))
    return rows


@pytest.mark.parametrize("most", [1, 31])
def test_it_repeats_the_traces_of_the_simulators_order(most: int) -> None:
    spikes = torch.tensor([1, 0, 0, 2, 0, 0, 0, 0, 0, 0])
    rows = run(XyloLif(2, 4, 300, most=most), 100 * spikes[:, None])
    assert [tuple(int(x) for x in row) for row in rows] == TRACE
    below = run(XyloLif(2, 4, 300, most=most), -100 * torch.tensor([1, 0, 0, 0, 0, 0])[:, None])
    assert [(int(i), int(v)) for i, v, _ in below] == BELOW


@pytest.mark.parametrize("seed", range(6))
def test_it_is_the_same_as_pythons_whole_numbers(seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    draw = lambda low, high: int(torch.randint(low, high, (), generator=generator))  # noqa: E731
    chip = XyloLif(draw(0, 16), draw(0, 16), draw(1, 900), draw(-50, 50), [1, 4, 31][seed % 3])
    size = 20_000 if seed > 3 else 400  # the last two run into the ends of 16 bits
    arriving = torch.randint(-size, size + 1, (300, 4), generator=generator)
    rows = run(chip, arriving)
    for n in range(4):
        assert [tuple(int(x[n]) for x in row) for row in rows] == by_hand(chip, [[int(a)] for a in arriving[:, n]])


def test_the_sum_of_spikes_differs_from_them_one_by_one_only_beyond_16_bits() -> None:
    chip = XyloLif(1, 2, 500)
    inside = torch.randint(-128, 128, (100, 12), generator=torch.Generator().manual_seed(0))
    rows = [tuple(int(x) for x in row) for row in run(chip, inside.sum(1, keepdim=True))]
    assert rows == by_hand(chip, inside.tolist())
    assert by_hand(chip, [[32767, 100, -200]])[0] != by_hand(chip, [[32767 + 100 - 200]])[0]


def test_a_decay_takes_at_least_one_and_rounds_down() -> None:
    x = torch.tensor([0, 1, 3, 4, -1, -4, -5, 100, -100])
    assert decay(x, 2).tolist() == [0, 1, 1, 1, -1, -1, -2, 25, -25]
    assert decay(x, 0).tolist() == x.tolist()
    quiet, state = XyloLif(1, 15, 300), Registers(torch.tensor([0]), torch.tensor([10]))
    for _ in range(10):
        _, _, state = quiet.step(state, torch.tensor([0]))
    assert state.membrane.tolist() == [0]


def test_a_spike_comes_at_the_threshold_and_as_often_as_it_fits_up_to_the_most() -> None:
    for most, v, expected, left in [
        (31, 299, 0, 299),
        (31, 300, 1, 0),
        (31, 950, 3, 50),
        (2, 950, 2, 350),
        (1, 950, 1, 650),
    ]:
        fired, seen, after = XyloLif(1, 15, 300, most=most).step(
            Registers(torch.tensor([0]), torch.tensor([v + 1])), torch.tensor([0])
        )
        assert (int(fired), int(seen), int(after.membrane)) == (expected, v, left)


def test_shifts_are_those_nearest_in_time_constant() -> None:
    assert [dash_of(x) for x in (0.0, 0.5, 0.75, 0.8, 0.9, 0.95, 1.0)] == [0, 1, 2, 2, 3, 4, 15]
    assert dash_of(math.exp(-1 / 30)) == round(-math.log2(1 - math.exp(-1 / 30))) == 5


def test_a_spike_brings_the_charge_that_it_brings_in_the_network() -> None:
    for text in (
        "lif:v_threshold=120",
        "cuba_lif:v_threshold=120:beta=1",
        "cuba_lif:v_threshold=120:alpha=0.97:beta=1",
    ):
        network = NEURONS.make(text.replace("lif:v", "lif:beta=1:v") if text.startswith("lif") else text)
        neuron = on_xylo("hidden1", network, 250.0)
        ends = []
        for one in (network, neuron):
            current = torch.zeros(400, 1, dtype=torch.float64)
            current[0] = 100 * (1 - float(network.current_decay))
            state = one.initial(current[0])
            for now in current:
                _, seen, state = one.step(state, now)
            ends.append(float(seen.v))
        assert ends[1] == pytest.approx(ends[0], rel=0.05)  # shifts round down, and 1 is the least decay


def test_a_network_computes_what_the_chip_computes() -> None:
    one = Learner("12", "sigprop", input_shape=(1, 5, 5), classes=4, device="cpu", hardware="xylo:headroom=2",
                  neuron="cuba_lif", norm="none", steps=20)  # fmt: skip
    spikes = (torch.rand(20, 6, 1, 5, 5, generator=torch.Generator().manual_seed(1)) < 0.4).float()
    for seed in range(3):
        one.step(spikes, torch.randint(4, (6,), generator=torch.Generator().manual_seed(seed)))
    one.learned.parameters["hidden1.b"].zero_()
    state = one.store.hardware_state
    codes = DEVICES.make("xylo").codes(state, NAME, one.learned.parameters[NAME]).codes
    assert int(codes.min()) >= -128 and int(codes.max()) <= 127 and len(codes.unique()) > 20
    units = float(state["hidden1/units"])
    chip = XyloLif(2, 3, round(units * 3 * (1 - 0.8)))
    activity, fired = one.respond(spikes).activity[0], []
    for row in range(6):
        arriving = (spikes[:, row].flatten(1) @ codes.float().T).long()
        rows = run(chip, arriving)
        assert torch.equal(torch.stack([n for _, _, n in rows]).float(), activity.S.values[:, row])
        fired.append(activity.S.values[:, row].mean())
        v = torch.stack([v + n * chip.threshold for _, v, n in rows]).double()
        assert torch.allclose(activity.v.values[:, row].double(), v / (units * 3 * 0.2), rtol=1e-5, atol=1e-6)
    assert 0 < float(torch.stack(fired).mean()) < 1


def test_its_gates_are_the_slopes_of_its_step() -> None:
    neuron = on_xylo("hidden1", NEURONS.make("cuba_lif:alpha=0.75:beta=0.875"), 3000.0)
    current = 0.4 * torch.randn(6, 40, dtype=torch.float64, generator=torch.Generator().manual_seed(3))
    state = neuron.initial(current[0])
    for now in current:
        moved = state._replace(membrane=state.membrane + 2000)
        (_, seen, after), (_, other, _), (_, driven, _) = (
            neuron.step(*pair) for pair in ((state, now), (moved, now), (state, now + 0.5))
        )
        assert seen.gates is not None
        free = seen.gates.keep > 0
        keep = (other.v - seen.v) / (2000 / neuron.worth)
        assert float(free.double().mean()) > 0.9 and torch.allclose(keep[free], seen.gates.keep[free], atol=1e-3)
        assert torch.allclose(((driven.v - seen.v) / 0.5)[free], seen.gates.admit[free], atol=1e-3)
        state = after


def test_weights_are_scaled_as_rockpools_global_quantiser_scales_a_group() -> None:
    w = torch.randn(20, 30, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    device = DEVICES.make("xylo:headroom=1")
    stored, state = device.on_parameters(device.init({NAME: (20, 30)}, 0), NAME, w)
    scale = 127 / float(w.abs().max())
    assert torch.equal(device.codes(state, NAME, stored).codes, torch.round(w * scale).long())
    neuron = on_xylo("hidden1", NEURONS.make("lif"), float(state["hidden1/units"]))
    assert isinstance(neuron.chip, XyloLif) and neuron.chip.threshold == round(scale)


def test_connections_of_one_layer_share_its_units() -> None:
    w = 0.3 * torch.randn(20, 30, generator=torch.Generator().manual_seed(0))
    device = DEVICES.make("xylo:headroom=1")
    _, state = device.on_parameters(device.init({NAME: (20, 30)}, 0), NAME, w)
    for scale, shift in ((0.02, 0), (1.0, 0), (20.0, 5)):
        stored, after = device.on_parameters(state, "hidden1.rec.w", w * scale)
        assert int(after["hidden1.rec.w/shift"]) == shift and after["hidden1/units"] == state["hidden1/units"]
        assert float((stored - w * scale).abs().max()) <= 2.0**shift / float(state["hidden1/units"]) / 2 * 1.001
    with pytest.raises(UserError, match=r"a shift of 10, and the chip has 0..8"):
        device.on_parameters(state, "hidden1.rec.w", w * 1000)


def test_a_run_is_deployed(tmp_path: Path) -> None:
    train(
        TrainConfig(data="digits", net="24", epochs=6, batch_size=32, device="cpu", threads=1),
        tmp_path / "run",
        quiet=True,
    )
    report = deploy_run(tmp_path / "run", "xylo")
    assert report["float_accuracy"] > 0.8
    assert report["energy"]["total"] is None and "running: synapses" in report["energy"]["left_out"]
    assert {row["highest"] for row in report["quantisation"].values()} == {127}
    assert report["test_accuracy"] > 0.5


@pytest.mark.parametrize(
    ("text", "said"),
    [("xylo:range=200000", "a range of 32512 at most"), ("xylo:range=2000", "shift=4"), ("xylo:shift=9", "shift"),
     ("xylo:neurons=none", "neurons")],
)  # fmt: skip
def test_weights_that_no_width_holds_are_refused_with_what_does(text: str, said: str) -> None:
    with pytest.raises(UserError, match=said) as refused:
        device = DEVICES.make(text)
        device.on_parameters(device.init({NAME: (2, 2)}, 0), NAME, torch.ones(2, 2))
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("neuron", "said"),
    [("alif", "no neuron like 'alif' .* Use lif, if or cuba_lif"),
     ("lif:reset=none", "reset=zero"), ("lif:v_threshold=1200", "between 0.00333 and 109"),
     ("lif:refractory=2", "no neuron like")],
)  # fmt: skip
def test_a_neuron_that_xylo_does_not_have_is_refused_in_a_line(neuron: str, said: str) -> None:
    with pytest.raises(UserError, match=said) as refused:
        on_xylo("hidden1", NEURONS.make(neuron), 300.0)
    assert "\n" not in str(refused.value)


def test_registers_that_cannot_hold_a_number_are_refused() -> None:
    for wrong in ({"dash_syn": 16}, {"threshold": HIGHEST + 1}, {"bias": LOWEST - 1}, {"most": 32}, {"threshold": 0}):
        with pytest.raises(UserError, match=next(iter(wrong))):
            XyloLif(**{"dash_syn": 2, "dash_mem": 2, "threshold": 5, **wrong})
