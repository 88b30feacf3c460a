"""LLS and TESS: fixed waves of the classes, against autograd and against the papers' sums by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from by_hand import CLASSES, SAMPLES, STEPS, Array, Hand, assert_gradients, assert_m, batch, psi, softmax
from torch.nn import functional

from neurorules import Learner, Series
from neurorules.language.errors import UserError
from neurorules.network.model import build_model
from neurorules.network.network import build_network
from neurorules.rules import RULES
from neurorules.signals import SIGNALS
from neurorules.torch_path.trial.learn import learn_trial

X, LABELS = batch()


def waves(count: int, square: bool) -> Array:
    """sin(f_c n) for n = 1 .. count, f_c in equal steps from 50 to 512, a sum of its own for each number."""
    rows = [[math.sin((50 + 462 * c / (CLASSES - 1)) * n) for n in range(1, count + 1)] for c in range(CLASSES)]
    return np.sign(rows) if square else np.array(rows)


@pytest.mark.parametrize("gains", ["none", "class", "matrix"])
@pytest.mark.parametrize("form", ["sine", "square"])
def test_lls_descends_the_cross_entropy_of_a_layers_likeness_to_the_waves(form: str, gains: str) -> None:
    hand = Hand(f"lls:waves={form}:gains={gains}:tau=0.7")
    run, found = hand.run(X), hand.trial(X, LABELS)
    for layer, name in enumerate(hand.names):
        z = torch.from_numpy(run.rates[layer]).requires_grad_()
        scores = z / z.norm(dim=1, keepdim=True) @ torch.from_numpy(waves(z.shape[1], form == "square")).T
        if gains != "none":
            gain = torch.from_numpy(hand.parameter(f"{name}.gain")).clone().requires_grad_()
            assert gain.shape == ((CLASSES,) if gains == "class" else (CLASSES, CLASSES))
            scores = scores * gain if gains == "class" else scores @ gain
        functional.cross_entropy(scores / 0.7, torch.from_numpy(LABELS), reduction="sum").backward()
        assert z.grad is not None
        m = z.grad.numpy() / STEPS
        assert_m(found, name, m)
        change = np.einsum("bo,tbo,tbi->oi", m, psi(run.v[layer]), run.pre[layer]) / SAMPLES
        assert_gradients(found, {f"{name}.ff.w": change})
        if gains != "none":
            assert gain.grad is not None
            assert_gradients(found, {f"{name}.gain": gain.grad.numpy() / SAMPLES})


def test_a_silent_layer_is_divided_by_the_length_of_one_spike() -> None:
    hand = Hand("lls")
    hand.learned.parameters["hidden1.b"].fill_(-100.0)
    found, rows = hand.trial(X, LABELS), waves(5, square=False)
    assert not found.activity[0].S.values.any()
    assert_m(found, "hidden1", (1 / CLASSES - np.eye(CLASSES)[LABELS]) @ rows * STEPS / STEPS)


def tess_by_hand(hand: Hand, a_post: float, scored: int, tau: float) -> tuple[list[Array], dict[str, Array]]:
    """m of each layer, and the changes of their weights, step by step and synapse by synapse."""
    run, ms, changes = hand.run(X), [], {}
    for layer, name in enumerate(hand.names):
        spikes, slopes, pre = run.s[layer], psi(run.v[layer]), run.pre[layer]
        rows = waves(spikes.shape[2], square=True) / spikes.shape[2]
        x, y, change, m = np.zeros_like(pre[0]), np.zeros_like(slopes[0]), 0.0, np.zeros_like(slopes)
        for t in range(STEPS):
            x = 0.5 * x + pre[t]
            if t >= STEPS - scored:
                m[t] = (softmax(spikes[t] @ rows.T / tau) - np.eye(CLASSES)[LABELS]) @ rows / scored / tau
            change = change + np.einsum("bo,bi->oi", m[t] * slopes[t], x)
            change = change + a_post * np.einsum("bo,bi->oi", m[t] * 0.2 * y, pre[t])
            y = 0.2 * y + slopes[t]
        ms.append(m)
        changes |= {f"{name}.ff.w": change / SAMPLES, f"{name}.b": (m * slopes).sum((0, 1)) / SAMPLES}
    return ms, changes


@pytest.mark.parametrize("last_steps", [None, 3])
@pytest.mark.parametrize("a_post", [1.0, 0.0, -0.5])
@pytest.mark.parametrize(("options", "tau"), [("", 0.03), (":tau=1", 1.0)])
def test_tess_is_the_error_of_each_step_times_two_traces(
    options: str, tau: float, a_post: float, last_steps: int | None
) -> None:
    hand = Hand(f"tess:a_post={a_post}{options}", neuron="lif:beta=0.8", last_steps=last_steps)
    ms, changes = tess_by_hand(hand, a_post, last_steps or STEPS, tau)
    found = hand.trial(X, LABELS)
    for name, m in zip(hand.names, ms, strict=True):
        assert_m(found, name, m)
    assert_gradients(found, changes)


def test_lls_of_the_last_steps_compares_each_of_them() -> None:
    hand = Hand("lls", last_steps=2)
    run, found = hand.run(X), hand.trial(X, LABELS)
    z = torch.from_numpy(run.s[0]).requires_grad_()
    scores = functional.normalize(z, dim=2, eps=1) @ torch.from_numpy(waves(z.shape[2], square=False)).T
    losses = [functional.cross_entropy(s, torch.from_numpy(LABELS), reduction="sum") for s in scores[-2:]]
    (sum(losses) / 2).backward()
    assert z.grad is not None
    assert_m(found, "hidden1", z.grad.numpy())


@pytest.mark.parametrize(("form", "apart"), [("sine", 0.12), ("square", 0.2)])
def test_waves_of_ten_classes_are_nearly_orthogonal(form: str, apart: float) -> None:
    rows = SIGNALS.make(f"patterns:waves={form}").rows(10, 500, torch.zeros((), dtype=torch.float64))
    cosines = functional.normalize(rows, dim=1) @ functional.normalize(rows, dim=1).T
    assert (cosines - torch.eye(10)).abs().max() < apart
    assert (rows.square().mean(1) - (0.5 if form == "sine" else 1.0)).abs().max() < 0.01


def test_fresh_gains_have_the_size_of_the_authors() -> None:
    learner = Learner("300", "lls:gains=matrix", input_shape=(6,), classes=90, precision="float64", device="cpu")
    gain = learner.learned.parameters["hidden1.gain"]
    assert float(gain.std()) == pytest.approx(0.01, rel=0.05) and abs(float(gain.mean())) < 1e-3


@pytest.mark.parametrize("text", ["lls:tau=0", "tess:l_pre=1", "tess:a_post=inf", "lls:waves=saw", "lls:gains=all"])
def test_what_the_rules_cannot_be_given_is_refused_in_one_line(text: str) -> None:
    with pytest.raises(UserError) as refused:
        RULES.make(text)
    assert "\n" not in str(refused.value) and text.partition(":")[0] in str(refused.value)


def test_a_layer_too_small_for_its_waves_is_refused() -> None:
    with pytest.raises(UserError, match="'hidden1' has 2 features.*more neurons, or use waves=sine"):
        build_model(build_network("2", (5,), 10), RULES.make("tess"))
    with pytest.raises(UserError, match="cannot learn values.*Use a rule that can"):
        build_model(build_network("20", (5,), 10), RULES.make("lls"), task="regression")


@pytest.mark.parametrize("rule", ["tess", "local_readout"])
def test_windows_count_the_last_steps_of_the_trial_and_not_their_own(rule: str) -> None:
    hand = Hand(rule, neuron="lif:beta=0.8", last_steps=3)
    whole = hand.trial(X, LABELS)
    drive, labels = Series(torch.from_numpy(X), False), torch.from_numpy(LABELS)
    for window in (1, 2, 3):
        part = learn_trial(
            hand.learner.model, hand.learned, drive, STEPS, labels, torch.Generator().manual_seed(0), window
        )
        for name, gradient in whole.gradients.items():
            assert (part.gradients[name] - gradient).abs().max() < 1e-12, (window, name)
