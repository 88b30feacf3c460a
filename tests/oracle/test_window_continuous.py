"""The window of a rule in Brian2, against the torch machine and against closed forms."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import numpy as np
import pytest
import torch

pytest.importorskip("brian2")

from neurorules.brian2_continuous import window as window_continuous
from neurorules.brian2_continuous.parts.circuit import Circuit
from neurorules.brian2_continuous.parts.interpreted import Interpreted
from neurorules.brian2_continuous.window import changes
from neurorules.cli import run
from neurorules.language.neuron_trace import Trace
from neurorules.language.rules import Plasticity, Rule
from neurorules.rules import RULES
from neurorules.torch_path.recording.window import changes as torch_changes
from neurorules.torch_path.recording.window import clamped, window

LAGS = (-7.0, -1.0, 0.0, 1.0, 5.0)


@pytest.mark.parametrize(
    "text",
    [
        "stdp",
        "stdp:same_step=neither",
        "triplet_stdp",
        "weight_dependent_stdp",
        "oja",
        "sdsp",
    ],
)
def test_both_machines_draw_the_same_window(text: str) -> None:
    # Both integrate exactly: what is left is the rounding of exp and of sums in another order. Weights of -0.3 tell
    # apart a rule that reads the weight before and one that reads what has changed.
    rule = RULES.make(text)
    in_torch, in_brian2 = (
        [p.dw for p in window(rule, LAGS, (20.0,), pairs=3, weight=-0.3, machine=machine)]
        for machine in (None, changes)
    )
    assert max(map(abs, in_torch)) > 1e-3
    np.testing.assert_allclose(in_brian2, in_torch, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("text", ["eprop", "s_tller", "urbanczik_senn", "reward_stdp", "tess"])
def test_a_given_third_factor_draws_the_same_window_on_both_machines(text: str) -> None:
    rule = RULES.make(text)
    in_torch, in_brian2 = (
        [p.dw for p in window(rule, LAGS, (20.0,), pairs=3, m=-0.7, machine=machine)] for machine in (None, changes)
    )
    assert max(map(abs, in_torch)) > 1e-3
    np.testing.assert_allclose(in_brian2, in_torch, rtol=1e-11, atol=1e-13)


def test_a_rule_of_voltages_has_the_same_window_on_both_machines() -> None:
    rule = RULES.make("clopath")
    in_torch, in_brian2 = (
        [p.dw for p in window(rule, LAGS, (20.0,), pairs=3, machine=machine)] for machine in (None, changes)
    )
    assert min(in_torch) < -1e-3 and len({round(dw, 9) for dw in in_torch}) > 2
    np.testing.assert_allclose(in_brian2, in_torch, rtol=1e-12, atol=1e-14)


def test_single_pairs_follow_the_exponentials_of_the_paper() -> None:
    rule = RULES.make("stdp:a_plus=0.005:a_minus=0.00525:decay=0.95")
    tau_ms = -1 / math.log(0.95)
    points = window(rule, (-20.0, -3.0, 4.0, 30.0), machine=changes)
    expected = [
        0.005 * math.exp(-p.dt_ms / tau_ms) if p.dt_ms > 0 else -0.00525 * math.exp(p.dt_ms / tau_ms)
        for p in points
        if p.dt_ms is not None
    ]
    np.testing.assert_allclose([p.dw for p in points], expected, rtol=1e-12)


def quadruplets(gaps: list[int], between: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Protocols of Pfister and Gerstner (2006): pre, post, then after a while post, pre; a negative gap: post first."""
    trains = torch.zeros(2, 4 * max(map(abs, gaps)) + between + 300, len(gaps), dtype=torch.float64)
    for synapse, gap in enumerate(gaps):
        first, second = (0, 1) if gap > 0 else (1, 0)
        start = 5 + abs(gap)
        trains[first, [5, start + between + abs(gap)], synapse] = 1
        trains[second, [start, start + between], synapse] = 1
    return trains[0], trains[1]


@pytest.mark.parametrize("repays", [40_000, 1])
def test_quadruplets_move_a_weight_by_the_same_on_both_machines(repays: int, monkeypatch: pytest.MonkeyPatch) -> None:
    # Where compiling repays, another machine is chosen: here one that needs no compiler, for the same circuit.
    chosen: list[Circuit] = []
    monkeypatch.setattr(window_continuous, "REPAYS", repays)
    monkeypatch.setattr(window_continuous, "machine_for", lambda one: chosen.append(one) or Interpreted(one))
    rule, trains = RULES.make("triplet_stdp"), quadruplets([5, -5, 12], 9)
    expected = np.asarray(torch_changes(rule, *trains))
    np.testing.assert_allclose(changes(rule, *trains), expected, rtol=1e-12, atol=1e-14)
    assert len(chosen) == (repays == 1) and len({round(dw, 9) for dw in expected.tolist()}) == 3
    # A sum over pairs alone would be another: the triplets count.
    pairs = np.asarray(torch_changes(RULES.make("stdp"), *trains))
    assert (np.abs(expected - pairs) > 1e-6).all()


def of_voltages(text: str = "x_pre * slow_post - 0.001 * v_post") -> Rule:
    """A rule that changes a weight while a presynaptic trace lasts, by the postsynaptic membrane and its low-pass."""
    base = RULES.make("stdp")
    return replace(
        base,
        name="of_voltages",
        plasticity=(Plasticity("w", text), *base.plasticity[1:]),
        traces=(Trace("x", 0.8, "S"), Trace("slow", 0.9, "v")),
        trace_decay=None,
        defaults=replace(base.defaults, neuron="adex"),
    )


@pytest.mark.parametrize(
    "rule",
    [
        of_voltages(),
        of_voltages("S_pre * slow_post - x_pre * psi(v_post) * S_pre"),
        RULES.make("clopath"),
        RULES.make("clopath:homeostasis=60"),
    ],
    ids=["traces", "at spikes, with psi", "clopath", "clopath with a trace that lasts"],
)
def test_a_membrane_is_held_on_both_machines(rule: Rule) -> None:
    held = (-70.0, -55.0, -30.0)
    in_torch, in_brian2 = (
        [p.dw for p in clamped(rule, held, (20.0,), pulses=3, machine=machine)] for machine in (None, changes)
    )
    assert len({round(dw, 6) for dw in in_torch}) == 3
    np.testing.assert_allclose(in_brian2, in_torch, rtol=1e-12)


def test_the_command_tells_the_same_form(capsys: pytest.CaptureFixture[str]) -> None:
    answers = []
    for path in ("torch", "continuous"):
        assert run(["window", "stdp", "--dt", "-2:2:1", "--step-ms", "0.5", "--path", path, "--json"]) == 0
        answers.append(json.loads(capsys.readouterr().out))
    for one in answers:
        one["points"] = [{**p, "dw": pytest.approx(p["dw"], rel=1e-12)} for p in one["points"]]
    in_torch, in_brian2 = answers
    assert [p.keys() for p in in_torch["points"]] == [p.keys() for p in in_brian2["points"]]
    assert [p["dw"].expected for p in in_brian2["points"]] == [p["dw"] for p in in_torch["points"]]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["dfa"], "Say what it is: --m 1"),
        (["stdp", "--m", "1"], "reads no third factor"),
        (["bptt", "--m", "1"], "dv_dw, a derivative through steps"),
        (["stdp", "--clamp", "-70"], "such as clopath"),
    ],
)
def test_what_has_no_equations_is_refused_in_one_line(
    words: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["window", *words, "--path", "continuous"]) == 2
    told = capsys.readouterr()
    assert message in told.err and told.err.count("\n") == 1 and not told.out
