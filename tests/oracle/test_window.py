"""The windows of rules that learn from spikes alone, against tables, closed forms and fixed points."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from neurorules.language.errors import UserError
from neurorules.network.products import group_products, value_of
from neurorules.rules import RULES
from neurorules.torch_path.recording.window import quadruplets, triplets, window

RATES = (0.1, 10.0, 20.0, 40.0, 50.0)
# Changes by 60 pairs, for +10 and -10 ms: exact sums of the equations of Pfister & Gerstner (2006) from empty traces.
TABLE = {
    "visual_minimal": ((0.0, 0.1186, 0.2278, 0.5321, 0.7627), (-0.3166, -0.3322, -0.3417, 0.1737, 0.7492)),
    "visual": ((0.0, 0.1321, 0.2470, 0.5337, 0.7409), (-0.3122, -0.3336, -0.3516, 0.1548, 0.7272)),
    "hippocampal_minimal": ((0.1754, 0.1841, 0.2129, 0.3561, 0.4752), (-0.1561, -0.1627, -0.1521, 0.1523, 0.4638)),
}


@pytest.mark.parametrize("fit", TABLE)
def test_triplets_of_sixty_pairs_change_a_weight_as_the_table_says(fit: str) -> None:
    slow = window(RULES.make(f"triplet_stdp:fit={fit}"), (10.0, -10.0), (RATES[0],), pairs=3)
    fast = window(RULES.make(f"triplet_stdp:fit={fit}"), (10.0, -10.0), RATES[1:], pairs=60)
    for lag, expected in zip((10.0, -10.0), TABLE[fit], strict=True):
        changes = [20 * p.dw for p in slow if p.dt_ms == lag] + [p.dw for p in fast if p.dt_ms == lag]
        np.testing.assert_allclose(changes, expected, atol=6e-5)


def test_triplets_are_the_same_in_shorter_steps() -> None:
    coarse = window(RULES.make("triplet_stdp"), (10.0, -10.0), (20.0,), pairs=5)
    fine = window(RULES.make("triplet_stdp:dt_ms=0.25"), (10.0, -10.0), (20.0,), pairs=5, step_ms=0.25)
    np.testing.assert_allclose([p.dw for p in fine], [p.dw for p in coarse], rtol=1e-9)


def by_events(pre_ms: list[float], post_ms: list[float], c: dict[str, float]) -> float:
    """Nearest-spike triplets, from the times of spikes alone: each trace remembers when its neuron fired last."""

    def since(times: list[float], now: float, tau_ms: float) -> float:
        earlier = [t for t in times if t < now]
        return math.exp((max(earlier) - now) / tau_ms) if earlier else 0.0

    up = sum(since(pre_ms, t, 16.8) * (c["a2p"] + c["a3p"] * since(post_ms, t, c["tau_y"])) for t in post_ms)
    down = sum(since(post_ms, t, 33.7) * (c["a2m"] + c["a3m"] * since(pre_ms, t, c["tau_x"])) for t in pre_ms)
    return up - down


def test_nearest_spike_triplets_are_those_of_the_last_spikes() -> None:
    constants = {"a2p": 4.6e-3, "a3p": 9.1e-3, "a2m": 3e-3, "a3m": 7.5e-9, "tau_x": 575.0, "tau_y": 47.0}
    for lag in (10.0, -10.0):
        (point,) = window(RULES.make("triplet_stdp:fit=hippocampal:pairing=nearest"), (lag,), (20.0,), pairs=7)
        pre = [50.0 * pair for pair in range(7)]
        assert point.dw == pytest.approx(by_events(pre, [t + lag for t in pre], constants), rel=1e-9)


def since_all(times: list[float], now: float, tau_ms: float) -> float:
    """A trace that every earlier spike raises by 1."""
    return sum(math.exp((t - now) / tau_ms) for t in times if t < now)


def of_spikes(pre_ms: list[float], post_ms: list[float]) -> float:
    """Triplets of all spikes with the constants of visual cortex, from the times of spikes alone."""
    up = sum(since_all(pre_ms, t, 16.8) * (5e-10 + 6.2e-3 * since_all(post_ms, t, 125.0)) for t in post_ms)
    down = sum(since_all(post_ms, t, 33.7) * (7e-3 + 2.3e-4 * since_all(pre_ms, t, 101.0)) for t in pre_ms)
    return up - down


def test_triplets_and_quadruplets_have_the_spikes_of_the_papers_protocols() -> None:
    rule, often = RULES.make("triplet_stdp"), {"rates_hz": (20.0,), "count": 3}
    for lags, pre, post in [((5, -15), [-5, 15], [0]), ((-5, 15), [0], [-5, 15]), ((10, -10), [-10, 10], [0])]:
        (once,), (thrice,) = triplets(rule, [lags]), triplets(rule, [lags], **often)
        assert (once.dt_ms, once.second_dt_ms, once.rate_hz, once.between_ms) == (*lags, None, None)
        assert once.dw == pytest.approx(of_spikes(pre, post), rel=1e-9)
        again = [[t + 50 * n for n in range(3) for t in side] for side in (pre, post)]
        assert thrice.dw == pytest.approx(of_spikes(*again), rel=1e-9) and thrice.rate_hz == 20
    # Above 0 post-pre comes first; the time is that between the middles of both pairs.
    for between, pre, post in [(40, [0, 35], [-5, 40]), (-40, [0, -45], [-5, -40]), (3, [0, -2], [-5, 3])]:
        (point,) = quadruplets(rule, [between])
        assert point.dw == pytest.approx(of_spikes(pre, post), rel=1e-9)
        assert (point.dt_ms, point.second_dt_ms, point.between_ms) == (5.0, None, between)
        middles = sorted([(pre[0] + post[0]) / 2, (pre[1] + post[1]) / 2])
        assert middles[1] - middles[0] == abs(between)


def test_several_groups_share_a_time_axis() -> None:
    rule, lags = RULES.make("triplet_stdp"), [(5, -5), (-15, 5), (20, -1)]
    together = [p.dw for p in triplets(rule, lags, (10.0, 25.0), count=2)]
    apart = [p.dw for rate in (10.0, 25.0) for one in lags for p in triplets(rule, [one], (rate,), count=2)]
    np.testing.assert_allclose(together, apart, rtol=1e-9)


@pytest.mark.parametrize("lags", [(5.0, 5.0), (-5.0, -1.0), (0.0, 5.0)])
def test_a_triplet_without_a_middle_spike_is_refused(lags: tuple[float, float]) -> None:
    with pytest.raises(UserError, match="one of them must be above 0 and the other below. Write 5:-5"):
        triplets(RULES.make("stdp"), [lags])


@pytest.mark.parametrize(("between", "lag", "words"), [(5.0, 5.0, "at the same time"), (9.0, -5.0, "must be above 0")])
def test_a_quadruplet_of_fewer_spikes_is_refused(between: float, lag: float, words: str) -> None:
    with pytest.raises(UserError, match=words):
        quadruplets(RULES.make("stdp"), [between], lag_ms=lag)


def test_without_triplet_terms_the_rule_is_that_of_pairs() -> None:
    lags = tuple(float(lag) for lag in range(-30, 31))
    pairs = window(RULES.make("triplet_stdp:fit=hippocampal_minimal"), lags)
    for point in pairs:
        expected = 5.3e-3 * math.exp(-point.dt_ms / 16.8) if point.dt_ms > 0 else -3.5e-3 * math.exp(point.dt_ms / 33.7)
        assert point.dw == pytest.approx(expected if point.dt_ms else 0.0, rel=1e-12)


@pytest.mark.parametrize(
    ("mu_plus", "mu_minus"),
    [(0.0, 0.0), (1.0, 1.0), (0.0, 1.0), (0.3, 0.7)],
    ids=["additive", "multiplicative", "van Rossum", "between"],
)
@pytest.mark.parametrize("weight", [0.0, 0.25, 1.0])
def test_changes_depend_on_the_weight_by_two_exponents(mu_plus: float, mu_minus: float, weight: float) -> None:
    rule = RULES.make(f"weight_dependent_stdp:mu_plus={mu_plus}:mu_minus={mu_minus}:alpha=1.2:tau_minus_ms=30")
    up, down = window(rule, (10.0, -10.0), weight=weight)
    assert up.dw == pytest.approx(0.01 * (1 - weight) ** mu_plus * math.exp(-10 / 20), rel=1e-12)
    assert down.dw == pytest.approx(-0.012 * weight**mu_minus * math.exp(-10 / 30), rel=1e-12)


def test_the_exponents_of_zero_are_pair_stdp_with_its_own_amplitudes() -> None:
    lags = (-7.0, -1.0, 1.0, 7.0)
    ours = window(RULES.make("weight_dependent_stdp:mu_plus=0:mu_minus=0"), lags)
    decay = math.exp(-1 / 20)
    stdp = RULES.make(f"stdp:a_plus=0.01:a_minus=0.01:decay={decay!r}:same_step=neither")
    np.testing.assert_allclose([p.dw for p in ours], [p.dw for p in window(stdp, lags)], rtol=1e-12)


def test_ojas_weights_end_at_the_length_of_one_along_the_principal_component() -> None:
    generator = torch.Generator().manual_seed(0)
    axes = torch.tensor([[2.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 0.5]], dtype=torch.float64)
    turn, _ = torch.linalg.qr(torch.randn(3, 3, generator=generator, dtype=torch.float64))
    x = torch.randn(4000, 3, generator=generator, dtype=torch.float64) @ axes @ turn
    rule = RULES.make("oja")
    groups = group_products(rule.equation(rule.plasticity[0]))
    w = torch.full((3,), 0.1, dtype=torch.float64)
    for row in x:
        y = w @ row
        names = {"x_pre": row, "x_post": y, "w": w}
        factors = [(g.pre, g.post, g.weight) for g in groups]
        change = sum(
            math.prod(1.0 if f is None else value_of(f, names, abs, abs) for f in product) for product in factors
        )
        w = w + 0.01 * change
    principal = torch.linalg.eigh(x.T @ x / len(x)).eigenvectors[:, -1]
    assert abs(float(w.norm()) - 1) < 0.05 and abs(float(principal @ w / w.norm())) > 0.99


def test_a_third_factor_scales_what_a_rule_with_one_does() -> None:
    rule = RULES.make("dfa")
    once, thrice = (window(rule, (0.0, 3.0), m=m)[0].dw for m in (1.0, 3.0))
    assert once != 0 and thrice == pytest.approx(3 * once)


@pytest.mark.parametrize(
    ("text", "arguments", "words"),
    [
        ("sigprop", {}, "reads a third factor, .* --m 1"),
        ("stdp", {"m": float("nan")}, "third factor is nan"),
        ("stdp", {"m": 1.0}, "reads no third factor, and --m gives one. Leave --m out"),
        ("stdp", {"weight": float("nan")}, "initial weight is nan"),
        ("stdp", {"weight": float("inf")}, "initial weight is inf"),
        ("eventprop", {"m": 1.0}, "reads dv_dw.* Ask for a rule of spikes"),
        ("stdp", {"lags_ms": (5.0,), "step_ms": 1e300}, "a lag of 5 ms is not a whole number"),
        ("stdp", {"rates_hz": (1e9,)}, "the interval at 1e\\+09 Hz, of 1e-06 ms is not a whole number"),
        ("shallow", {}, "do not learn from spikes"),
        ("bsp", {}, "neurons that do not spike"),
        ("stdp", {"lags_ms": (0.3,)}, "a lag of 0.3 ms is not a whole number of steps of 1 ms"),
        ("stdp", {"rates_hz": (30.0,)}, "the interval at 30 Hz, of 33.3333 ms is not a whole number"),
        ("stdp", {"rates_hz": (0.001,), "pairs": 100_000}, "too many to hold. Use shorter lags, fewer --pairs"),
    ],
)
def test_a_window_that_cannot_be_is_refused_in_one_line(text: str, arguments: dict, words: str) -> None:
    with pytest.raises(UserError, match=words) as raised:
        window(RULES.make(text), **{"lags_ms": (1.0,), **arguments})
    assert "\n" not in str(raised.value)
