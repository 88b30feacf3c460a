"""Loihi's learning engine against Lava's numbers, and its arithmetic in whole numbers against Python's own."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest
import torch

from hardware_models.loihi.learning import Factor, LearningEngine, Product, TraceRegister, pair_stdp
from neurorules.language.errors import UserError

RUNS = json.loads((Path(__file__).parent / "golden" / "lava_stdp_golden.json").read_text())
FLOAT, WHOLE = ([run for run in RUNS if run["tag"] == tag] for tag in ("floating_pt", "fixed_pt"))
PAIR = {"x1": TraceRegister(10.0), "y1": TraceRegister(10.0)}
FORGETS_NOTHING = {"x1": TraceRegister(float("inf")), "y1": TraceRegister(float("inf"), 9)}


def exactly(numbers: list) -> torch.Tensor:
    """Lava's numbers in double precision."""
    return torch.tensor(numbers, dtype=torch.float64)


def go(engine: LearningEngine, run: dict, seed: int = 0) -> list[tuple[torch.Tensor, torch.Tensor, torch.Tensor]]:
    """Weights and both traces after each step; traces only where an epoch has ended."""
    generator, state = torch.Generator().manual_seed(seed), engine.initial(torch.tensor(run["w0"]))
    pre, post = torch.tensor(run["pre"]), torch.tensor(run["post"])
    seen = []
    for t in range(pre.shape[1]):
        state = engine.step(state, pre[:, t], post[:, t], generator)
        seen.append((state.w, state.x["x1"], state.y["y1"]))
    return seen


@pytest.mark.parametrize("run", FLOAT, ids=lambda run: f"epoch-{run['t_epoch']}")
def test_in_floats_weights_and_traces_are_those_of_lava(run: dict) -> None:
    engine = LearningEngine(pair_stdp(), PAIR, run["t_epoch"], integer=False)
    for t, (w, x, y) in enumerate(go(engine, run)):
        assert torch.allclose(w, exactly(run["w"][t]), rtol=1e-12, atol=1e-12)
        if (t + 1) % run["t_epoch"] == 0:
            assert torch.allclose(x, exactly(run["x1"][t]), rtol=1e-12, atol=0)
            assert torch.allclose(y, exactly(run["y1"][t]), rtol=1e-12, atol=0)


@pytest.mark.parametrize("run", WHOLE, ids=lambda run: f"epoch-{run['t_epoch']}")
def test_in_whole_numbers_weights_stay_near_lavas_own_draws(run: dict) -> None:
    final = torch.stack([
        go(LearningEngine(pair_stdp(), PAIR, run["t_epoch"]), run, seed)[-1][0] for seed in range(40)
    ])  # fmt: skip
    exact = go(LearningEngine(pair_stdp(), PAIR, run["t_epoch"], integer=False), run)[-1][0]
    error = final.std(0) / len(final) ** 0.5
    assert bool(((final.mean(0) - exact).abs() <= 4 * error).all())
    assert float((final.mean(0) - exactly(run["w"][-1])).abs().max()) <= 8  # Lava's is one draw
    assert torch.equal(final, final.round())


def test_lavas_whole_numbers_change_by_the_traces_themselves() -> None:
    (run,) = [run for run in WHOLE if run["t_epoch"] == 1]
    pre, post = torch.tensor(run["pre"]), torch.tensor(run["post"])
    w, x, y = (torch.tensor(run[name]) for name in ("w", "x1", "y1"))
    for t in range(1, 60):
        dw = post[:, t, None] * x[t][None, :] - pre[None, :, t] * y[t][:, None]
        assert torch.equal(w[t] - w[t - 1], dw)


def by_hand(products: tuple[Product, ...], w: int, x: list[int], y: list[int], tx: int, ty: int) -> set[int]:
    """The weights that may come after one epoch, from the course of each trace: one, where the sum has no fraction."""
    total = w << 7
    for product in products:
        at = (tx if product.spike == "x0" else ty) - 1
        value, bits = int(at >= 0), 1
        for name, constant in product.factors:
            read = {None: 0, "w": w, "x1": x[at], "y1": y[at]}[name]
            width = {None: 8, "w": 9, "x1": 7, "y1": 7}[name]
            value *= max(-(1 << width), min((1 << width) - 1, read + constant))
            bits += width
        value *= product.mantissa
        lost = max(0, bits + 4 - 15)
        value >>= lost
        shift = 7 + product.exponent
        value = value << shift if shift >= 0 else value >> -shift
        total = max(-(1 << 15), min((1 << 15) - 1, total + max(-(1 << 15), min((1 << 15) - 1, value))))
    return {max(-256, min(255, whole)) for whole in (total >> 7, -(-total >> 7))}


def test_whole_numbers_are_exact_where_nothing_is_random() -> None:
    assert sum(_exact_epochs(seed) for seed in range(120)) > 300


def test_a_product_of_two_traces_loses_four_bits_and_counts_a_sixteenth() -> None:
    engine = LearningEngine((Product("x0", (Factor("x1"), Factor("y1")), 1, 0),), FORGETS_NOTHING, 1)
    state, generator = engine.initial(torch.zeros(1, 1)), torch.Generator()
    for _ in range(3):
        state = engine.step(state, torch.zeros(1), torch.ones(1), generator)  # y1 becomes 27
    state = engine.step(state, torch.ones(1), torch.zeros(1), generator)
    assert float(state.w) == 16 * 27 // 16


def _exact_epochs(seed: int) -> int:
    """Six epochs of a random rule on one synapse: how many had a sum without a fraction; all of them are checked."""
    draw = random.Random(seed)
    epoch = draw.choice([1, 2, 5])
    names = ("x1", "y1", "w", None)
    products = tuple(
        Product(
            draw.choice(("x0", "y0")),
            tuple(Factor(draw.choice(names), draw.randint(-6, 6)) for _ in range(draw.randint(1, 2))),
            draw.randint(-15, 15), draw.randint(-4, 4),
        )
        for _ in range(draw.randint(1, 3))
    )  # fmt: skip
    engine = LearningEngine(products, FORGETS_NOTHING, epoch)
    w = draw.randint(-256, 255)
    state, generator = engine.initial(torch.tensor([[w]])), torch.Generator().manual_seed(seed)
    x = y = exact = 0
    for _ in range(6):
        courses: dict[str, list[int]] = {"x": [], "y": []}
        fired = {side: [int(draw.random() < 0.5) for _ in range(epoch)] for side in "xy"}
        for side, impulse in (("x", 16), ("y", 9)):
            value, times = (x if side == "x" else y), [t for t in range(epoch) if fired[side][t]]
            for _ in times[:-1]:
                value = min(127, value + impulse)
            for t in range(epoch):
                value = min(127, value + impulse) if times and t == times[-1] else value
                courses[side].append(value)
        last = [max((t + 1 for t in range(epoch) if fired[side][t]), default=0) for side in "xy"]
        may_come = by_hand(products, w, courses["x"], courses["y"], *last)
        for t in range(epoch):
            state = engine.step(state, *(torch.tensor([fired[side][t]]) for side in "xy"), generator)
        x, y = courses["x"][-1], courses["y"][-1]
        w = int(state.w)
        assert w in may_come and int(state.x["x1"]) == x and int(state.y["y1"]) == y
        exact += len(may_come) == 1
    return exact


def test_traces_decay_right_on_average_and_stay_within_seven_bits() -> None:
    many = 100_000
    engine = LearningEngine((), {"x1": TraceRegister(10.0, 120)}, 1)
    state, generator = engine.initial(torch.zeros(1, many)), torch.Generator().manual_seed(1)
    ones, none = torch.ones(many), torch.zeros(1)
    for spikes in (ones, ones):
        state = engine.step(state, spikes, none, generator)
    assert bool((state.x["x1"] == 127).all())
    state = engine.step(state, torch.zeros(many), none, generator)
    wanted = 127 * engine.traces["x1"].decay
    up = wanted - int(wanted)
    assert set(state.x["x1"].unique().tolist()) == {float(int(wanted)), float(int(wanted) + 1)}
    assert abs(float(state.x["x1"].mean()) - wanted) <= 4 * (up * (1 - up) / many) ** 0.5


def test_changes_smaller_than_a_weight_are_right_on_average() -> None:
    many = 100_000
    engine = LearningEngine((Product("x0", (Factor("x1"),), 3, -7),), FORGETS_NOTHING, 1)
    state = engine.initial(torch.zeros(1, many))
    state = engine.step(state, torch.ones(many), torch.zeros(1), torch.Generator().manual_seed(2))
    wanted = 16 * 3 / 128
    assert set(state.w.unique().tolist()) == {0.0, 1.0}
    assert abs(float(state.w.mean()) - wanted) <= 4 * (wanted * (1 - wanted) / many) ** 0.5


def test_weights_saturate_at_nine_bits() -> None:
    for mantissa, end in ((15, 255), (-15, -256)):
        engine = LearningEngine((Product("x0", (Factor("x1"),), mantissa, 7),), FORGETS_NOTHING, 1)
        state, generator = engine.initial(torch.zeros(1, 1)), torch.Generator()
        for _ in range(3):
            state = engine.step(state, torch.ones(1), torch.zeros(1), generator)
        assert float(state.w) == end


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: Product("x0", (), 16), "16 2\\^0"),
        (lambda: Product("x0", (), 1, 8), "exponent"),
        (lambda: Product("x0", (Factor("x1", 200),)), "127"),
        (lambda: LearningEngine(pair_stdp(), {"x1": TraceRegister()}), "'y1'"),
        (lambda: LearningEngine(pair_stdp(), PAIR, 64), "6 bits"),
        (lambda: LearningEngine(pair_stdp(), {**PAIR, "x1": TraceRegister(10, 1.5)}), "whole number"),
        (lambda: TraceRegister(0.0), "tau"),
    ],
)
def test_what_no_register_holds_is_refused(make, said: str) -> None:
    with pytest.raises(UserError, match=said):
        make()
