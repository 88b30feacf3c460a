"""What texts say of the past, before(), delay() and eligibilities: its meaning, in every schedule, on both paths."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from test_brian2_learning import STEPS, Trial, traced, trial_of
from test_brian2_online import assert_same_trajectories
from test_schedules import assert_schedules_agree, network, two_trials

from neurorules.language.eligibility import Eligibility
from neurorules.language.errors import UserError
from neurorules.language.neuron_trace import Trace
from neurorules.language.rules import DELTA_RULE, Plasticity, Rule, Source
from neurorules.network.model import build_model
from neurorules.rules import RULES

CLOSE = {"rtol": 0, "atol": 1e-9}


def rule_of(text: str, *eligibilities: Eligibility, trace_decay: float | None = 0.7) -> Rule:
    """A three-factor rule of one text."""
    return Rule(
        "mine", (Plasticity("w", text), Plasticity("b", "-m_post * psi(v_post)"), *DELTA_RULE), "dfa",
        Source("-", 2026, "-"), trace_decay=trace_decay, eligibilities=eligibilities, constants={"gamma": 0.3},
    )  # fmt: skip


BEFORE = RULES.make("stdp:same_step=neither")
DELAYED = rule_of("-m_post * psi(v_post) * delay(S_pre, 3) + gamma * S_post * delay(x_pre, 2) * before(x_post)")
TAG = Eligibility("e", 0.9, "psi(v_post) * S_pre")
TAGGED = rule_of("-m_post * e", TAG, trace_decay=None)
SEVERAL = rule_of(
    "-through_norm(m_post) * e * (1 - gamma * w) + gamma * S_post * low + through_norm(tanh(i_post)) * x_pre",
    Eligibility("e", 0.8, "psi(v_post) * delay(S_pre, 2) - gamma * i_post * before(x_pre) + 0.2 * m_post * x_pre"),
    Eligibility("low", 0.95, "gamma * (S_pre - mean_pre)"),
)
TRACES = replace(
    rule_of(
        "-m_post * h_post * (slow_pre - before(low_pre)) + gamma * before(last_post) * before(last_pre)"
        " + gamma * tanh(delay(u_post, 2)) * delay(slow_pre, 3) + gamma * delay(S_post, 1) * S_pre"
        " - before(h_post) * tanh(delay(v_post, 1)) * S_pre - w * x_pre",
        trace_decay=None,
    ),
    traces=(
        Trace("low", 0.8), Trace("slow", 0.9, "low + gamma * delay(S, 2)"), Trace("u", 0.7, "tanh(v)"), Trace("x", 0.5),
        Trace("h", 0.6, "psi(v) * (1 - before(u))"), Trace("last", 0.85, "S", spikes="nearest"),
    ),
)  # fmt: skip
IN_PHASES = replace(
    rule_of(
        "-m_post * e + gamma * last_post * S_pre - w * low_pre + event_post * before(ev_pre) - burst_post * S_pre",
        Eligibility("e", 0.8, "h_post * low_pre"),
        trace_decay=None,
    ),
    traces=(
        Trace("since", 0.8, spikes="nearest"),
        Trace("event", 0.0, "S * (before(since) < gamma)"),
        Trace("first", 1.0, "event", spikes="nearest"),
        Trace("ev", 0.9, "event"),
        Trace("burst", 0.0, "S * (before(since) > gamma) * before(first)"),
        Trace("low", 0.8),
        Trace("h", 0.6, "tanh(relu(v))"),
        Trace("last", 0.9, "h * gamma", spikes="nearest"),
    ),
)
CHAIN = rule_of(
    "-m_post * e_bar + gamma * m_post * delay(e_bar, 1) - gamma * psi(v_post) * delay(low, 1) + gamma * m_post * eps",
    Eligibility("low", 0.7, "S_pre"),
    Eligibility("eps", "0.95 - gamma * psi(v_post)", "psi(v_post) * x_pre"),
    Eligibility("e_bar", 0.9, "psi(v_post) * (x_pre - gamma * delay(eps, 1)) + gamma * S_post * low + gamma * eps"),
)
ALL = {
    "chain": CHAIN,
    "before": BEFORE, "delay": DELAYED, "eligibility": TAGGED, "several": SEVERAL, "traces": TRACES,
    "traces in an eligibility": IN_PHASES,
}  # fmt: skip
RULE = pytest.mark.parametrize("rule", ALL.values(), ids=ALL.keys())


@RULE
@pytest.mark.parametrize(("net", "steps"), [("12-8", 100), ("r9-r6", 500)])
def test_weights_move_alike_in_torch_and_in_brian2(rule: Rule, net: str, steps: int) -> None:
    assert_same_trajectories(trial_of(rule, net=net, steps=steps, samples=1))


@RULE
@pytest.mark.parametrize("norm", ["none", "streaming"])
@pytest.mark.parametrize("net", ["12-r8", "c2k3-a2-8"])
def test_gathered_changes_are_the_same_in_torch_and_in_brian2(rule: Rule, net: str, norm: str) -> None:
    trial = trial_of(rule, net=net, norm=norm, steps=40)
    trial.assert_same_changes(trial.replay())


@RULE
@pytest.mark.parametrize("kind", ["dense", "recurrent"])
@pytest.mark.parametrize("norm", ["none", "streaming"])
@pytest.mark.parametrize("constant", [False, True], ids=["varying", "constant"])
def test_every_schedule_learns_the_same(rule: Rule, kind: str, norm: str, constant: bool) -> None:
    assert_schedules_agree(build_model(network(kind, norm=norm), rule), constant)


@pytest.mark.parametrize(
    "rule",
    [BEFORE, DELAYED, TRACES, rule_of("-m_post * low", Eligibility("low", 0.9, "gamma * x_pre"))],
    ids=["before", "delay", "traces", "presynaptic eligibility"],
)
def test_maps_learn_the_same_in_every_schedule_where_nothing_is_kept_a_synapse(rule: Rule) -> None:
    assert_schedules_agree(build_model(network("conv"), rule), False)


def test_a_map_cannot_keep_an_eligibility_a_synapse_and_says_so() -> None:
    with pytest.raises(UserError, match="layer 'hidden1': the eligibility 'e' step by step needs a dense layer"):
        two_trials(build_model(network("conv"), TAGGED), False, 1)


def delayed(values: np.ndarray, ago: int) -> np.ndarray:
    return np.concatenate([np.zeros_like(values[:ago]), values[:-ago]])


def hidden(trial: Trial) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Of the first layer: presynaptic and postsynaptic spikes, psi and m over time."""
    activity, layer = trial.result.activity[0], trial.model.network.layers[0]
    m = trial.said["hidden1"]["input"].over_time(trial.steps) if trial.said else activity.v.values
    psi = activity.psi(layer.neuron, activity.v.values)
    return trial.drive.numpy(), activity.S.values.numpy(), psi.numpy(), m.numpy()


def assert_changed(trial: Trial, change: np.ndarray) -> None:
    found = (-trial.result.gradients["hidden1.ff.w"] * trial.samples).numpy()
    assert np.abs(found).max() > 1e-3
    np.testing.assert_allclose(found, change, **CLOSE)


def test_before_leaves_pairs_within_one_step_out_of_both_windows() -> None:
    trial = trial_of(BEFORE)
    pre, post, _, _ = hidden(trial)
    lag = np.subtract.outer(np.arange(STEPS), np.arange(STEPS))
    window = np.where(lag > 0, 0.8 ** np.maximum(lag, 0), 0.0)
    potentiation = np.einsum("tbo,ts,sbi->oi", post, window, pre, optimize=True)
    depression = np.einsum("tbo,st,sbi->oi", post, window, pre, optimize=True)
    assert_changed(trial, 0.01 * potentiation - 0.012 * depression)
    together = np.einsum("tbo,tbi->oi", post, pre)
    both = -trial_of("stdp").result.gradients["hidden1.ff.w"].numpy() * trial.samples
    np.testing.assert_allclose(both - (0.01 * potentiation - 0.012 * depression), -0.002 * together, **CLOSE)


def test_delay_is_what_stood_there_so_many_steps_ago() -> None:
    trial = trial_of(DELAYED)
    pre, post, psi, m = hidden(trial)
    change = -np.einsum("tbo,tbi->oi", m * psi, delayed(pre, 3))
    before = traced(post, 0.7) - post
    assert_changed(trial, change + 0.3 * np.einsum("tbo,tbi->oi", post * before, delayed(traced(pre, 0.7), 2)))


@pytest.mark.parametrize("norm", ["none", "streaming"])
@pytest.mark.parametrize("net", ["12-8", "r9-8"])
def test_the_current_is_all_that_reaches_the_neuron(net: str, norm: str) -> None:
    """What a membrane holds beside what is left of the step before: input, its normalisation, bias and own spikes."""
    trial = trial_of(rule_of("i_post * S_pre"), net=net, norm=norm, neuron="lif:beta=0.8:reset=none", steps=20)
    v = trial.result.activity[0].v.values.numpy()
    assert_changed(trial, np.einsum("tbo,tbi->oi", v - 0.8 * delayed(v, 1), trial.drive.numpy()))


def test_a_delay_longer_than_the_trial_finds_nothing() -> None:
    rule = rule_of("m_post * delay(S_pre, 900)")
    assert not trial_of(rule).result.gradients["hidden1.ff.w"].any()


def test_an_eligibility_lingers_at_its_synapse() -> None:
    trial = trial_of(TAGGED)
    pre, _, psi, m = hidden(trial)
    e, change = np.zeros((trial.samples, psi.shape[2], pre.shape[2])), 0.0
    for t in range(trial.steps):
        e = 0.9 * e + psi[t][:, :, None] * pre[t][:, None, :]
        change = change - np.einsum("bo,boi->oi", m[t], e)
    assert_changed(trial, change)


def test_an_eligibility_of_an_eligibility_is_its_recursion() -> None:
    trial = trial_of(CHAIN)
    pre, post, psi, m = hidden(trial)
    x = traced(pre, 0.7)
    zero = np.zeros((trial.samples, psi.shape[2], pre.shape[2]))
    low, eps, e_bar, change = np.zeros_like(pre[0]), zero, zero, 0.0
    for t in range(trial.steps):
        low_before, eps_before, e_before, p = low, eps, e_bar, psi[t][:, :, None]
        low = 0.7 * low + pre[t]
        eps = (0.95 - 0.3 * p) * eps + p * x[t][:, None]
        e_bar = (
            0.9 * e_bar + p * (x[t][:, None] - 0.3 * eps_before) + 0.3 * post[t][:, :, None] * low[:, None] + 0.3 * eps
        )
        change = change + np.einsum("bo,boi->oi", m[t], 0.3 * e_before - e_bar + 0.3 * eps)
        change = change - 0.3 * np.einsum("bo,bi->oi", psi[t], low_before)
    assert_changed(trial, change)


def test_an_eligibility_that_two_terms_read_moves_on_once_a_step() -> None:
    twice = rule_of("-m_post * e + gamma * w * m_post * e", TAG, trace_decay=None)
    assert_schedules_agree(build_model(network("dense", norm="none"), twice), False)
    assert_same_trajectories(trial_of(twice, steps=60, samples=1))


def test_a_decay_of_none_and_of_all_are_this_step_and_the_whole_past() -> None:
    trial = trial_of(replace(TAGGED, eligibilities=(replace(TAG, decay=0.0),)))
    pre, _, psi, m = hidden(trial)
    assert_changed(trial, -np.einsum("tbo,tbi->oi", m * psi, pre))
    whole = trial_of(replace(TAGGED, eligibilities=(replace(TAG, decay=1.0),)))
    later = np.cumsum(m[::-1], 0)[::-1]
    assert_changed(whole, -np.einsum("tbo,tbi->oi", later * psi, pre))


def by_hand(source: np.ndarray, decay: float, fires: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
    """A trace after each step, and before the step has brought anything; with `fires`, each spike sets it anew."""
    now, after, before = np.zeros_like(source[0]), [], []
    for t in range(len(source)):
        before.append(decay * now)
        now = before[-1] + source[t] if fires is None else np.where(fires[t] != 0, source[t], before[-1])
        after.append(now)
    return np.array(after), np.array(before)


def test_declared_traces_are_their_recursions() -> None:
    trial = trial_of(TRACES)
    pre, post, psi, m = hidden(trial)
    v = trial.result.activity[0].v.values.numpy()
    low, low_before = by_hand(pre, 0.8)
    slow, _ = by_hand(low + 0.3 * delayed(pre, 2), 0.9)
    u, u_before = by_hand(np.tanh(v), 0.7)
    h, h_before = by_hand(psi * (1 - u_before), 0.6)
    (_, last_pre), (_, last_post) = by_hand(pre, 0.85, pre), by_hand(post, 0.85, post)
    products = [
        (-m * h, slow - low_before), (0.3 * last_post, last_pre), (0.3 * np.tanh(delayed(u, 2)), delayed(slow, 3)),
        (0.3 * delayed(post, 1), pre), (-h_before * np.tanh(delayed(v, 1)), pre),
    ]  # fmt: skip
    w = trial.learned.parameters["hidden1.ff.w"].numpy()
    change = -w * by_hand(pre, 0.5)[0].sum((0, 1))
    assert_changed(trial, sum((np.einsum("tbo,tbi->oi", a, b) for a, b in products), change))


def test_the_trace_of_the_last_spike_alone_is_the_nearest_spike_window() -> None:
    rule = replace(
        rule_of("S_post * before(last_pre)", trace_decay=None), traces=(Trace("last", 0.8, spikes="nearest"),)
    )
    trial = trial_of(rule)
    pre, post, _, _ = hidden(trial)
    change = np.zeros((post.shape[2], pre.shape[2]))
    for t, b, i in np.argwhere(pre[:, :, :] * 0 + 1):
        earlier = np.flatnonzero(pre[:t, b, i])
        if len(earlier):
            change[:, i] += post[t, b] * 0.8 ** (t - earlier[-1])
    assert_changed(trial, change)
