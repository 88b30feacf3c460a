"""Traces Propagation's signal against its loss at every step, by hand: traces, soft targets, temperature, centre."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from by_hand import CLASSES, SAMPLES, STEPS, Array, Hand, Pass, batch, moved, product
from torch import Tensor

TINY = 1e-6


def traced(spikes: Array, decay: float) -> Array:
    """x[t] = decay x[t-1] + S[t]."""
    x, now = [], np.zeros_like(spikes[0])
    for here in spikes:
        now = decay * now + here
        x.append(now)
    return np.stack(x)


def unit(rows: Array) -> tuple[Array, Array]:
    norm = np.sqrt((rows**2).sum(-1, keepdims=True)) + TINY
    return rows / norm, norm


def step_loss(u: Tensor, w: Tensor, wanted: Array, tau: float) -> Tensor:
    """-sum_k Y_k log softmax_k(<u, w_k> / tau), summed over the samples of one step."""
    parts = []
    for j in range(len(u)):
        y = torch.stack([(u[j] * row).sum() / tau for row in w])
        parts.append(-(torch.from_numpy(wanted[j]) * (y - y.exp().sum().log())).sum())
    return torch.stack(parts).sum()


def m_of(
    h: Array, t: Array, seen: Array, labels: Array, centre: Array, tau: float, cosine: bool, soft: bool
) -> list[Array]:
    """dl/dx of one step for the samples' traces h (B, N) and the targets' t (C, N)."""
    if cosine:
        (u, h_norm), (w, t_norm), (seen, _) = unit(h - centre), unit(t - t.mean(0)), unit(seen)
    else:
        u, w = h, t
    away = np.sqrt(((seen[:, None] - seen[None]) ** 2).sum(-1))
    near = np.exp(-away / (tau if cosine else 1.0))
    wanted = (near / near.sum(1, keepdims=True))[labels] if soft else np.eye(CLASSES)[labels]
    leaves = [torch.from_numpy(a.copy()).requires_grad_() for a in (u, w)]
    to_u, to_w = (g.numpy() for g in torch.autograd.grad(step_loss(*leaves, wanted, tau), leaves))
    if not cosine:
        return [to_u, to_w]
    made = []
    for g, row, norm in ((to_u, u, h_norm), (to_w, w, t_norm)):
        made.append((g - (g * row).sum(1, keepdims=True) * row) / norm * (norm > 2 * TINY))
    return [made[0], made[1] - made[1].mean(0)]


def slope(v: Array) -> Array:
    return 1 / (1 + 2 * np.abs(v - 1)) ** 2


@pytest.mark.parametrize(
    "options", ["", ":decay=0.8", ":tau=0.4", ":cosine=False", ":loss=label", ":cosine=False:tau=2"]
)
def test_every_step_compares_traces_and_a_spike_counts_in_the_trace_of_its_own_step(options: str) -> None:
    """Pes et al. 2025: l_i[t] from x_i^h[t] and x_i^t[t]; positives from the target traces one layer down."""
    given = dict(part.split("=") for part in options.split(":")[1:])
    decay, cosine = float(given.get("decay", 0.5)), given.get("cosine", "True") == "True"
    hand = Hand(f"traces_propagation{options}", "7-6", neuron="lif:beta=0.8")
    centres = [np.zeros(7), np.zeros(6)]
    one = traced(np.ones((STEPS, 1)), decay)[:, 0]
    for trial in range(3):
        x, labels = batch(trial)
        seen = hand.age() if trial == 2 else trial * SAMPLES
        found = hand.trial(x, labels)
        first, target = hand.run(x), hand.run(None, injected=hand.state("embedding"))
        below = np.eye(CLASSES) * one[:, None, None]
        for layer, name in enumerate(hand.names):
            h, t = (traced(run.s[layer], decay) for run in (first, target))
            features = h.shape[-1]
            tau = float(given.get("tau", min(0.3, (2 / features) ** 0.5 / 3) if cosine else 1.0))
            steps = [
                m_of(h[k], t[k], below[k], labels, centres[layer] * one[k], tau, cosine, "loss" not in given)
                for k in range(STEPS)
            ]
            m = [np.stack(each) / STEPS for each in zip(*steps, strict=True)]
            got = found.third_factors[name].over_time(STEPS).numpy()
            np.testing.assert_allclose(got, m[0], rtol=0, atol=1e-10, err_msg=f"m of {name} in trial {trial}")
            assert np.abs(m[0]).max() > 1e-3
            assert_changes(hand, found.gradients, name, layer, (first, target), m)
            centres[layer] = moved(centres[layer], seen, h.mean(1).sum(0) / one.sum())
            below = t
        hand.learned = replace(found.learned, parameters=hand.learned.parameters)
        for name, centre in zip(hand.names, centres, strict=True):
            np.testing.assert_allclose(hand.state(f"{name}.centre"), centre, rtol=0, atol=1e-12)


def assert_changes(
    hand: Hand, gradients: dict[str, Tensor], name: str, layer: int, runs: tuple[Pass, Pass], m: list[Array]
) -> None:
    posts = [value * slope(run.v[layer]) for value, run in zip(m, runs, strict=True)]
    w = sum(product(post, run.pre[layer]) for post, run in zip(posts, runs, strict=True))
    np.testing.assert_allclose(gradients[f"{name}.ff.w"].numpy(), w, rtol=0, atol=1e-10)
    biased = posts[: 1 if layer == 0 else 2]  # a stream that enters behind the first layer's weights meets no bias
    b = sum(post.sum((0, 1)) for post in biased) / SAMPLES
    np.testing.assert_allclose(gradients[f"{name}.b"].numpy(), b, rtol=0, atol=1e-10)
