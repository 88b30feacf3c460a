"""EchoSpike by plain loops: a layer's echoes of classes, its likeness to them, and what moves both."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from by_hand import CLASSES, SAMPLES, STEPS, Hand, assert_gradients, assert_m, batch, moved, psi

from neurorules.language.errors import UserError
from neurorules.rules import RULES

X, LABELS = batch()
BETA = 0.8


def taught(rule: str, echoes: dict[str, np.ndarray], seen: int = 0) -> Hand:
    """A net that has heard echoes, by layer (classes, N), of a number of samples."""
    hand = Hand(rule, neuron=f"lif:beta={BETA}")
    for name, value in echoes.items():
        before = hand.learned.signal[f"{name}.echo"]
        hand.learned.signal[f"{name}.echo"] = before._replace(
            value=torch.from_numpy(value), samples=torch.full_like(before.samples, seen)
        )
    return hand


def drawn() -> dict[str, np.ndarray]:
    random = np.random.default_rng(4)
    return {"hidden1": random.random((CLASSES, 5)), "hidden2": random.random((CLASSES, 4))}


@pytest.mark.parametrize(("same", "other"), [(None, None), (0.4, 0.3)])
def test_weights_change_by_the_echoes_whose_gates_are_open(same: float | None, other: float | None) -> None:
    """Graf et al. 2024: dw = y sum_t q_i psi_i[t] x_j[t]; y = 1 open below one likeness, y = -1 above another."""
    echoes = drawn()
    gates = ":same=none:other=none" if same is None else f":same={same}:other={other}"
    hand = taught(f"espp:beta={BETA}{gates}", echoes, seen=40)
    run, found, shut = hand.run(X), hand.trial(X, LABELS), 0
    for layer, name in enumerate(hand.names):
        q = echoes[name]
        change, m = np.zeros_like(hand.weights(name)), np.zeros((SAMPLES, len(hand.weights(name))))
        means = echoes[name].copy()
        for b in range(SAMPLES):
            s = run.s[layer][:, b].mean(0)
            for c in range(CLASSES):
                own, likeness = c == LABELS[b], float(s @ q[c] / q[c].sum())
                if same is None or other is None or (likeness < same if own else likeness > other):
                    m[b] -= q[c] if own else -q[c] / (CLASSES - 1)
                else:
                    shut += 1
                if own:
                    means[c] += (s - echoes[name][c]) / SAMPLES
            x = np.zeros(run.pre[layer].shape[-1])
            for t in range(STEPS):
                x = BETA * x + run.pre[layer][t, b]
                change += np.outer(m[b] / STEPS * psi(run.v[layer][t, b]), x)
        assert_m(found, name, m / STEPS)
        assert_gradients(found, {f"{name}.ff.w": change / SAMPLES})
        after = found.learned.signal[f"{name}.echo"]
        np.testing.assert_allclose(after.value.numpy(), moved(echoes[name], 40, means), atol=1e-12)
    assert (shut > 0) == (same is not None)


def test_what_has_no_echo_teaches_nothing() -> None:
    """The first samples of all find a layer that has heard nothing before."""
    found = taught("espp", {}).trial(X, LABELS)
    assert not any(found.gradients[f"{name}.ff.w"].any() for name in ("hidden1", "hidden2"))
    assert all(found.learned.signal[f"{name}.echo"].value.any() for name in ("hidden1", "hidden2"))


def test_an_echo_that_is_the_same_in_all_classes_teaches_nothing() -> None:
    """Own and other classes weigh alike, so that what they share falls out."""
    echoes = {name: np.repeat(value[:1], CLASSES, 0) for name, value in drawn().items()}
    found = taught("espp:same=none:other=none", echoes).trial(X, LABELS)
    for name in ("hidden1", "hidden2"):
        assert float(found.gradients[f"{name}.ff.w"].abs().max()) < 1e-12


@pytest.mark.parametrize("text", ["espp:same=-1", "espp:other=nan", "espp:beta=1"])
def test_options_out_of_range_are_refused_in_one_line(text: str) -> None:
    with pytest.raises(UserError) as refused:
        RULES.make(text)
    assert "\n" not in str(refused.value) and "espp" in str(refused.value)
