"""Reward-modulated STDP: a tag and a reward after it, in closed form; and what a sample earns."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from test_brian2_learning import trial_of

from neurorules.cli import run
from neurorules.language.errors import UserError
from neurorules.network.model import build_model
from neurorules.network.network import build_network
from neurorules.rules import RULES
from neurorules.signals import SIGNALS
from neurorules.signals.reward import reward_trace
from neurorules.torch_path.recording.window import changes

TAU_C, TAU_D, TAU = 1000.0, 200.0, 20.0


def rewarded(dt_ms: float, lag_ms: float, after_ms: float, reward: float, tail_ms: float = 6000.0) -> float:
    """The change of a weight by one pair of spikes and one reward after the later of them."""
    rule, lag, after = RULES.make(f"reward_stdp:dt_ms={dt_ms}"), round(lag_ms / dt_ms), round(after_ms / dt_ms)
    first = max(0, -lag)
    end = first + max(0, lag)
    pre, post = torch.zeros(2, end + after + round(tail_ms / dt_ms), 1, dtype=torch.float64)
    pre[first], post[first + lag] = 1, 1
    given = torch.zeros(len(pre), 1, dtype=torch.float64)
    given[end + after] = reward
    return float(changes(rule, pre, post, m=-reward_trace_in_parts(given, math.exp(-dt_ms / TAU_D))[:, 0]))


def reward_trace_in_parts(given: torch.Tensor, decay: float) -> torch.Tensor:
    """The signal's own filter, part by part, since it compares all steps of a trial with each other."""
    parts, size = [], 500
    for start in range(0, len(given), size):
        part = given[start : start + size].clone()
        if parts:
            part[0] += decay * parts[-1][-1]
        parts.append(reward_trace(part, decay))
    return torch.cat(parts)


@pytest.mark.parametrize(("lag", "amplitude"), [(10.0, 1.0), (-10.0, -1.5), (3.0, 1.0)])
@pytest.mark.parametrize("after", [0.0, 300.0])
def test_a_pair_and_a_reward_after_it_change_a_weight_as_told(lag: float, amplitude: float, after: float) -> None:
    tag = amplitude * math.exp(-abs(lag) / TAU) * math.exp(-after / TAU_C)
    kept = math.exp(-1 / TAU_C - 1 / TAU_D)
    assert rewarded(1.0, lag, after, 0.5) == pytest.approx(tag * 0.5 / (1 - kept), rel=1e-9)
    assert rewarded(1.0, lag, after, 0.5) == pytest.approx(tag * 0.5 * TAU_C * TAU_D / (TAU_C + TAU_D), rel=4e-3)


def test_shorter_steps_come_to_the_integral_of_tag_and_reward() -> None:
    integral = math.exp(-0.5) * math.exp(-0.05) * TAU_C * TAU_D / (TAU_C + TAU_D)
    apart = [abs(dt * rewarded(dt, 10.0, 50.0, 1.0, 4000.0) / integral - 1) for dt in (1.0, 0.5)]
    assert apart[1] < 0.6 * apart[0] < 2e-3


def test_without_a_reward_no_bit_changes_and_a_negative_one_mirrors() -> None:
    assert rewarded(1.0, 10.0, 50.0, 0.0, 1000.0) == 0.0
    assert rewarded(1.0, 10.0, 50.0, -0.7, 1000.0) == -rewarded(1.0, 10.0, 50.0, 0.7, 1000.0) != 0


@pytest.mark.parametrize("baseline", ["class", "all", "none"])
def test_a_sample_earns_by_its_prediction_less_what_samples_earned_before(baseline: str) -> None:
    rule = RULES.make("dfa")
    signal = f"reward:wrong=-1:baseline={baseline}"
    trial = trial_of(rule, net="9-7", samples=6, steps=20, signal=signal)
    learned, earned = trial.learned, torch.where(trial.result.scores.argmax(1) == trial.labels, 1.0, -1.0).double()
    assert earned.unique().tolist() == [-1, 1]
    torch.testing.assert_close(trial.said["hidden1"]["input"].values, -(earned / 20)[:, None].expand(6, 9))
    if baseline == "none":
        assert not trial.result.learned.signal
        return
    mean = trial.result.learned.signal["hidden2.earned"]
    kinds = trial.labels if baseline == "class" else torch.zeros_like(trial.labels)
    sums = torch.zeros(len(mean.value), dtype=torch.float64).index_add(0, kinds, earned) / 6
    torch.testing.assert_close(mean.value, sums * 6 / (16 + 6))  # its start counts for 16 samples
    again = type(trial)(trial.model, replace(learned, signal=trial.result.learned.signal), steps=20, samples=6)
    expected = -(earned - mean.value[kinds]) / 20
    torch.testing.assert_close(again.said["hidden1"]["input"].values, expected[:, None].expand(6, 9))


def test_each_step_earns_its_own_reward_where_steps_count_one_by_one() -> None:
    trial = trial_of("reward_stdp:baseline=none:wrong=-1", net="9-7", samples=5, steps=12)
    outputs = trial.result.activity[-1].v.values
    earned = torch.where(outputs.argmax(-1) == trial.labels, 1.0, -1.0).double() / 12
    d = torch.zeros(5, dtype=torch.float64)
    for t in range(12):
        d = math.exp(-1 / TAU_D) * d + earned[t]
        torch.testing.assert_close(trial.said["hidden2"]["input"].values[t], -d[:, None].expand(5, 7))


@pytest.mark.parametrize("text", ["reward:right=nan", "reward:wrong=inf", "reward:decay=1", "reward:baseline=most"])
def test_a_reward_that_is_no_number_is_refused_in_one_line(text: str) -> None:
    with pytest.raises(UserError) as refused:
        SIGNALS.make(text)
    assert "\n" not in str(refused.value) and "reward" in str(refused.value)


def test_a_window_of_a_reward_needs_a_finite_one(capsys: pytest.CaptureFixture[str]) -> None:
    for words, message in ((["--m", "nan"], "third factor is nan"), ([], "reads a third factor")):
        assert run(["window", "reward_stdp", "--dt", "5", *words]) == 2
        told = capsys.readouterr()
        assert message in told.err and told.err.count("\n") == 1 and not told.out


def test_targets_that_are_no_classes_earn_nothing() -> None:
    network = build_network("8", (5,), 3)
    with pytest.raises(UserError, match="taught by one class"):
        build_model(network, RULES.make("reward_stdp"), task="regression")
