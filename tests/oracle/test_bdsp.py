"""Burst-dependent plasticity by plain loops: bursts that feedback causes, averages, and statistics of what is drawn."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from by_hand import SAMPLES, STEPS, Array, Hand, assert_gradients, assert_m, batch, error_of, product

from neurorules.contracts.running_mean import RunningMean
from neurorules.language.errors import UserError
from neurorules.language.neuron_trace import Trace
from neurorules.language.rules import DELTA_RULE, Plasticity, Rule, Source
from neurorules.signals._draws import key_of, uniform
from neurorules.signals.bursts import burst_share
from neurorules.torch_path.recording.window import changes

X, LABELS = batch()
FADES = math.exp(-5 / 20)
WINDOW = 16.0


def sigmoid(x: Array) -> Array:
    return 1 / (1 + np.exp(-x))


def before(events: Array, decay: float = FADES) -> Array:
    """The trace of events that a weight sees: decayed to this step, without the events of this step."""
    now, seen = np.zeros_like(events[0]), []
    for event in events:
        seen.append(decay * now)
        now = seen[-1] + event
    return np.array(seen)


def aged(hand: Hand) -> None:
    """Averages of neurons that have fired before, each at another rate."""
    hand.age()
    for name, value in hand.learned.signal.items():
        if isinstance(value, RunningMean):
            size = 0.01 if name.endswith("square") else value.value.mean()
            spread = torch.linspace(0.5, 1.5, value.value.numel(), dtype=torch.float64).reshape(value.value.shape)
            hand.learned.signal[name] = value._replace(value=size * spread.roll(len(name)))


@pytest.mark.parametrize("options", ["", ":gain=1.5:rest=0.4:tau_ms=50:dt_ms=2"])
def test_weights_change_by_bursts_beside_those_expected(options: str) -> None:
    """Payeur et al. 2021: dw_ij = sum_t (B_i[t] - Pbar_i E_i[t]) Etilde_j[t], with B = P E, the mean of an ensemble."""
    hand = Hand(f"bdsp:bursts=expected{options}")
    gain, rest, decay = (1.5, 0.4, math.exp(-2 / 50)) if options else (4.0, 0.5, FADES)
    aged(hand)
    run, found = hand.run(X), hand.trial(X, LABELS)
    outputs = run.s[1] @ hand.weights("readout").T + hand.parameter("readout.b")
    sent = -error_of(outputs, LABELS) / STEPS  # what teaches the last dendrites
    for layer, above in ((1, "readout"), (0, "hidden2")):
        name, fired = hand.names[layer], run.s[layer]
        u = sent @ hand.state(f"feedback.{above}.ff.w")
        p = sigmoid(math.log(rest / (1 - rest)) + gain * u / np.sqrt(hand.state(f"{name}.square")))
        expected = np.minimum(hand.state(f"{name}.bursts") / hand.state(f"{name}.events"), 1)
        assert_m(found, name, expected - p)
        sent = p * fired - expected * fired
        change = product(sent, before(run.pre[layer], decay))
        assert_gradients(found, {f"{name}.ff.w": -change, f"{name}.b": -sent.sum((0, 1)) / SAMPLES})
        share = 1 - math.exp(-STEPS * SAMPLES * (2 if options else 5) / 15_000)
        for own, of_step in (("events", fired), ("bursts", fired * p), ("square", u**2)):
            start = hand.state(f"{name}.{own}")
            after = found.learned.signal[f"{name}.{own}"].value.numpy()
            np.testing.assert_allclose(after, start + share * (of_step.mean((0, 1)) - start), rtol=1e-10)


def trained_on(hand: Hand, samples: int) -> tuple[Array, Array]:
    """The change of the first layer by many samples, and what its synapses met, E_i[t] Etilde_j[t], (T, B, O, I)."""
    x, labels = batch(3, samples)
    found, run = hand.trial(x, labels), hand.run(x)
    return -found.gradients["hidden1.ff.w"].numpy() * samples, np.einsum("tbo,tbi->tboi", run.s[0], before(x))


def bernstein(variance: Array, most: Array) -> Array:
    """What a sum of independent numbers of mean 0 exceeds by chance once in a hundred thousand: of their variance, and
    the largest of them. Source: Bernstein's inequality."""
    unlikely = math.log(2 * variance.size * 1e5)
    return most * unlikely / 3 + np.sqrt((most * unlikely / 3) ** 2 + 2 * variance * unlikely)


@pytest.mark.parametrize("raised", [0.0, 0.05, 0.2, -0.1])
def test_without_surplus_a_weight_stays_and_a_surplus_moves_it_in_proportion(raised: float) -> None:
    """P = Pbar + d: E[dw] = d sum E Etilde, and a drawn dw lies within its own deviation, by P (1 - P), of it."""
    p = 0.15 + raised
    for bursts in ("expected", "drawn"):
        hand = Hand(f"bdsp:bursts={bursts}:rest={p!r}", net="60")
        hand.learned.signal["feedback.readout.ff.w"].zero_()
        bursts_so_far = hand.learned.signal["hidden1.bursts"]
        hand.learned.signal["hidden1.bursts"] = bursts_so_far._replace(value=bursts_so_far.value * 0.15 / p)
        change, met = trained_on(hand, 100)
        expected = raised * met.sum((0, 1))
        if bursts == "expected":
            np.testing.assert_allclose(change, expected, rtol=1e-9, atol=1e-11)
            continue
        variance, most = p * (1 - p) * (met**2).sum((0, 1)), met.max((0, 1))
        assert (np.abs(change - expected) <= bernstein(variance, most)).all() and (variance > 1).sum() > 100
        # The sum over a neuron's synapses: neurons draw apart, so the squares of these numbers have the mean 1.
        often = (met.sum(3) > 0).sum((0, 1)) > 40
        apart = (change - expected).sum(1)[often] / np.sqrt(p * (1 - p) * (met.sum(3) ** 2).sum((0, 1))[often])
        assert abs((apart**2).mean() - 1) < 4.5 * math.sqrt(3 / often.sum()) < 1.5
        assert abs(apart.mean()) < 4.5 / math.sqrt(often.sum())


def test_bursts_are_drawn_anew_in_each_trial_and_layer_with_their_probability() -> None:
    hand = Hand("bdsp:rest=0.3", net="5-5")
    for name in ("readout", "hidden2"):
        hand.learned.signal[f"feedback.{name}.ff.w"].zero_()
    x, labels = batch(1, 2000)
    first = hand.trial(x, labels)
    hand.learned.signal["trial"] = first.learned.signal["trial"]
    second = hand.trial(x, labels)
    drawn = [m.third_factors[name].over_time(STEPS).numpy() for m in (first, second) for name in hand.names]
    for m in drawn:
        assert set(np.round(np.unique(m), 12)) == {-0.7, 0.3}
        assert abs((m < 0).mean() - 0.3) < 4.5 * math.sqrt(0.21 / m.size)
        assert abs(np.corrcoef(m[0].ravel(), m[1].ravel())[0, 1]) < 4.5 / math.sqrt(m[0].size)
    for a in range(4):
        for b in range(a):
            assert abs(np.corrcoef(drawn[a].ravel(), drawn[b].ravel())[0, 1]) < 4.5 / math.sqrt(drawn[a].size)


def test_the_share_of_bursts_is_at_most_one_and_that_of_a_silent_neuron_is_a_number() -> None:
    share = burst_share(torch.tensor([0.3, 0.9, 0.0, 0.1]), torch.tensor([0.6, 0.6, 0.0, 0.0]))
    assert share.tolist() == [0.5, 1.0, 0.0, 1.0]
    hand = Hand("bdsp:dt_ms=2")
    np.testing.assert_allclose(hand.state("hidden2.events"), 0.01)  # 5 Hz
    np.testing.assert_allclose(hand.state("hidden2.bursts"), 0.005)
    hand.learned.parameters["hidden2.b"] -= 100.0
    aged(hand)
    silent = hand.learned.signal["hidden2.events"]
    hand.learned.signal["hidden2.events"] = silent._replace(value=torch.zeros_like(silent.value))
    found = hand.trial(X, LABELS)
    assert all(bool(g.isfinite().all()) for g in found.gradients.values())
    assert not found.gradients["hidden2.ff.w"].any() and found.gradients["hidden1.ff.w"].any()


DETECTORS = (
    Trace("since", math.exp(-1 / WINDOW), spikes="nearest"),
    Trace("event", 0.0, "S * (before(since) < near)"),
    Trace("first", 1.0, "event", spikes="nearest"),
    Trace("burst", 0.0, "S * (before(since) > near) * before(first)"),
    Trace("ev", math.exp(-1 / 50), "event"),
)
"""An event is a spike after more than 16 ms of silence, and a burst the second spike of a group, at steps of 1 ms."""
NEAR = {"near": math.exp(-(WINDOW + 0.5) / WINDOW), "pbar": 0.15}


def detecting(text: str) -> Rule:
    """A rule of one text that reads the detectors."""
    return Rule(
        "mine", (Plasticity("w", text), *DELTA_RULE), None, Source("-", 2026, "-"), constants=NEAR, traces=DETECTORS
    )


def detected(spikes: Array) -> tuple[Array, Array]:
    """Events and bursts of spike trains (T, N), from the times of spikes alone."""
    events, bursts = np.zeros_like(spikes), np.zeros_like(spikes)
    for n in range(spikes.shape[1]):
        last, in_group = -math.inf, 0
        for t in np.flatnonzero(spikes[:, n]):
            in_group = 1 if t - last > WINDOW else in_group + 1
            events[t, n], bursts[t, n], last = in_group == 1, in_group == 2, t
    return events, bursts


@pytest.mark.parametrize("rate", [0.01, 0.06, 0.3])
def test_declared_traces_detect_events_and_bursts(rate: float) -> None:
    post = (np.random.default_rng(4).random((2000, 6)) < rate).astype(float)
    post[:, 0] = 0
    post[[0, 16, 33, 50, 66, 67, 300, 316, 332], 0] = 1  # groups of 2 and 1 spikes, one of 3, and another of 3
    pre = torch.ones(post.shape, dtype=torch.float64)
    events, bursts = detected(post)
    assert events[:, 0].sum() == 4 and bursts[:, 0].sum() == 3 and (rate < 0.1 or events.sum() < post.sum() / 9)
    ramp = np.arange(2000.0)[:, None]  # which steps they are, and not only how many
    for name, expected in (("event", events), ("burst", bursts)):
        found = changes(detecting(f"{name}_post * delay(S_pre, 1) * 1.0"), pre, torch.from_numpy(post)).numpy()
        np.testing.assert_allclose(found, expected[1:].sum(0), rtol=1e-12)
        pre_ramp = torch.from_numpy(np.broadcast_to(ramp, post.shape).copy())
        found = changes(detecting(f"{name}_post * S_pre"), pre_ramp, torch.from_numpy(post)).numpy()
        np.testing.assert_allclose(found, (expected * ramp).sum(0), rtol=1e-12)


def test_a_pair_of_regular_trains_changes_a_weight_by_an_exact_sum() -> None:
    """Pre: pairs of spikes every 100 ms. Post: groups of 1 and 3 spikes in turn, 20 ms behind each of them."""
    groups, period = 10, 100
    pre, post = np.zeros((groups * period, 1)), np.zeros((groups * period, 1))
    for n in range(groups):
        pre[[n * period, n * period + 10]] = 1
        post[[n * period + 20 + 8 * k for k in range(1 if n % 2 == 0 else 3)]] = 1
    events, bursts = detected(post)
    assert (events.sum(), bursts.sum(), detected(pre)[0].sum()) == (groups, groups / 2, groups)
    e = math.exp(-1 / 50)
    at_event = [e**20 * (1 - e ** (period * (n + 1))) / (1 - e**period) for n in range(groups)]
    exact = sum((e**8 * (n % 2) - NEAR["pbar"]) * one for n, one in enumerate(at_event))
    text = "(burst_post - pbar * event_post) * before(ev_pre)"
    (found,) = changes(detecting(text), torch.from_numpy(pre), torch.from_numpy(post)).tolist()
    assert found == pytest.approx(exact, rel=1e-12) and abs(exact) > 1
    with pytest.raises(UserError, match="reads `i_post`.* where neurons are told when to spike"):
        changes(detecting("i_post * S_pre"), torch.from_numpy(pre), torch.from_numpy(post))


def test_draws_are_the_published_sequence_and_fill_the_unit_interval() -> None:
    """SplitMix64 from a state of 0: its first three numbers of 64 bits, of which the highest 53 count."""
    published = (0xE220A8397B1DCDAF, 0x6E789E6AA1B965F4, 0x06C45D188009454F)
    found = uniform(torch.tensor(0), torch.arange(3))
    assert found.tolist() == [(number >> 11) / 2**53 for number in published]
    keys = [key_of(torch.tensor(5), torch.tensor(trial), layer) for trial in (0, 1) for layer in (2**32 - 1, 1)]
    draws = torch.stack([uniform(key, torch.arange(100_000)) for key in keys])
    assert (draws.mean(1) - 0.5).abs().max() < 5 * (1 / 12 / 100_000) ** 0.5
    assert (torch.corrcoef(draws) - torch.eye(4)).abs().max() < 5 / 100_000**0.5
    assert draws.min() >= 0 and draws.max() < 1
