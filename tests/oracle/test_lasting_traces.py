"""Traces that live across trials: their meaning, on both machines, in every schedule, and through a stored state."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from test_brian2_learning import fresh, trial_of
from test_brian2_online import assert_same_trajectories
from test_schedules import assert_schedules_agree, network

import neurorules as nr
from neurorules.contracts.series import Series
from neurorules.language.errors import UserError
from neurorules.language.neuron_trace import Trace
from neurorules.language.rules import DELTA_RULE, Plasticity, Rule, Source
from neurorules.network.initial import initialise
from neurorules.network.model import build_model
from neurorules.network.network import build_network
from neurorules.rules import RULES
from neurorules.runner.side_by_side import compare_updates
from neurorules.torch_path.trial.learn import learn_trial


def rule_of(*traces: Trace, text: str = "0.01 * S_pre * (before(slow_post) - u_post)") -> Rule:
    return Rule("mine", (Plasticity("w", text), *DELTA_RULE), None, Source("-", 2026, "-"), traces=traces)


SLOW = rule_of(Trace("slow", 0.99, across_trials=True), Trace("u", 0.9, "tanh(v) * slow", across_trials=True))
NEAREST = rule_of(
    Trace("slow", 0.99, "0.5 + 0 * S", spikes="nearest", across_trials=True), Trace("u", 0.5, "S", across_trials=True)
)
RULES_HERE = pytest.mark.parametrize("rule", [SLOW, NEAREST, RULES.make("bcm")], ids=["slow", "nearest", "bcm"])


def test_a_trial_begins_where_the_mean_over_the_rows_of_the_one_before_ended() -> None:
    model = build_model(build_network("7", (5,), 3, norm="none"), SLOW)
    learned, generator = initialise(model, 0, torch.device("cpu"), torch.float64), torch.Generator().manual_seed(0)
    start = torch.zeros(7, dtype=torch.float64)
    for _ in range(3):
        drive = (torch.rand(12, 4, 5, generator=generator) < 0.5).double()
        result = learn_trial(model, learned, Series(drive, False), 12, torch.arange(4) % 3, generator)
        spikes, slow, change = result.activity[0].S.values, start.expand(4, 7), torch.zeros(7, 5, dtype=torch.float64)
        u = learned.traces.get("input.hidden1.u", torch.zeros(7, dtype=torch.float64)).expand(4, 7)
        for t in range(12):
            before, slow = 0.99 * slow, 0.99 * slow + spikes[t]
            u = 0.9 * u + torch.tanh(result.activity[0].v.values[t]) * slow
            change += 0.01 * torch.einsum("bo,bi->oi", before - u, drive[t])
        torch.testing.assert_close(result.gradients["hidden1.ff.w"], -change / 4, rtol=0, atol=1e-12)
        learned, start = result.learned, slow.mean(0)
        assert start.max() > 0
        torch.testing.assert_close(learned.traces["input.hidden1.slow"], start, rtol=0, atol=1e-12)


@RULES_HERE
@pytest.mark.parametrize("kind", ["dense", "recurrent", "conv"])
def test_every_schedule_leaves_and_finds_the_same_traces(rule: Rule, kind: str) -> None:
    assert_schedules_agree(build_model(network(kind), rule), False)


@RULES_HERE
def test_weights_move_alike_in_brian2_from_traces_that_earlier_trials_left(rule: Rule) -> None:
    trial = trial_of(rule, net="r9-6", samples=1, steps=300)
    before = trial.result.learned.traces
    assert len(before) >= 2 and all(bool(value.any()) for value in before.values())
    trial.learned = replace(trial.learned, traces=before)
    assert_same_trajectories(trial)


def test_updates_in_brian2_hand_the_same_traces_on() -> None:
    def learner() -> nr.Learner:
        return nr.Learner(
            "8-6",
            "bcm",
            input_shape=(5,),
            classes=3,
            norm="none",
            steps=30,
            precision="float64",
            optimizer="sgd",
            lr=0.1,
        )

    here, there, generator = learner(), learner(), torch.Generator().manual_seed(2)
    batches = [
        (Series((torch.rand(30, 4, 5, generator=generator) < 0.5).double(), False), torch.arange(4) % 3)
        for _ in range(4)
    ]
    updates = list(compare_updates(here, there, batches))
    assert all(update.equal for update in updates)
    assert here.learned.traces.keys() == there.learned.traces.keys() and here.learned.traces
    for name, value in here.learned.traces.items():
        torch.testing.assert_close(there.learned.traces[name], value, rtol=0, atol=1e-9)


def steps_of(learner: nr.Learner, first: int, last: int) -> None:
    for k in range(first, last):
        generator = torch.Generator().manual_seed(k)
        learner.step((torch.rand(10, 6, 5, generator=generator) < 0.5).float(), torch.arange(6) % 3)


@pytest.mark.parametrize("schedule", ["by_layer", "by_step", "pipelined"])
def test_a_learner_goes_on_from_its_file_to_the_same_bits(tmp_path: Path, schedule: str) -> None:
    def learner() -> nr.Learner:
        return nr.Learner("9-7", "bcm", input_shape=(5,), classes=3, steps=10, schedule=schedule)

    straight, stopped = learner(), learner()
    steps_of(straight, 0, 6)
    steps_of(stopped, 0, 3)
    stopped.save(tmp_path / "state")
    resumed = learner()
    resumed.load(tmp_path / "state")
    steps_of(resumed, 3, 6)
    state, other = straight.state(), resumed.state()
    assert {"traces/input.hidden1.theta", "traces/input.hidden2.theta"} <= state.keys()
    assert all(torch.equal(value, other[name]) for name, value in state.items())


def test_a_step_that_fails_leaves_its_traces_as_they_were() -> None:
    learner = nr.Learner("9", "bcm", input_shape=(5,), classes=3, steps=10)
    steps_of(learner, 0, 2)
    before = learner.learned.traces["input.hidden1.theta"].clone()
    with pytest.raises(UserError):
        learner.step(torch.full((10, 6, 5), float("nan")), torch.arange(6) % 3)
    learner.scores(torch.ones(10, 6, 5))
    assert torch.equal(learner.learned.traces["input.hidden1.theta"], before)


@pytest.mark.parametrize("patterns", [2, 4])
def test_a_bcm_neuron_selects_one_of_n_patterns_and_answers_n_times_its_target(patterns: int) -> None:
    target = 0.2
    rule = RULES.make(f"bcm:target={target}:decay=0:slow=0.8")
    model = build_model(build_network("6", (patterns,), 2, neuron="rate", norm="none"), rule)
    learned = fresh(model)
    generator = torch.Generator().manual_seed(4)
    learned.parameters["hidden1.b"].zero_()
    learned.parameters["hidden1.ff.w"].copy_(0.1 + 0.2 * torch.rand(6, patterns, generator=generator))
    drive, labels = Series(torch.eye(patterns, dtype=torch.float64), True), torch.zeros(patterns, dtype=torch.long)
    for _ in range(6000):
        result = learn_trial(model, learned, drive, 1, labels, generator)
        moved = learned.parameters["hidden1.ff.w"] - 0.05 * result.gradients["hidden1.ff.w"]
        learned = replace(result.learned, parameters={**learned.parameters, "hidden1.ff.w": moved.clamp(min=0)})
    answers = learned.parameters["hidden1.ff.w"].sort(1, descending=True).values
    np.testing.assert_allclose(answers[:, 0], patterns * target, rtol=1e-3)
    assert float(answers[:, 1].max()) < 1e-3
    np.testing.assert_allclose(0.8 * learned.traces["input.hidden1.theta"], patterns * target, rtol=1e-3)


def test_a_trace_across_trials_is_not_read_at_the_presynaptic_end() -> None:
    with pytest.raises(UserError, match="slow_pre"):
        build_model(build_network("4", (3,), 2, norm="none"), rule_of(*SLOW.traces, text="S_post * slow_pre"))
