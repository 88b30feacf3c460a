"""Sigprop's hidden layers by hand: its losses sample by sample, its target streams, and its running averages."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from by_hand import (
    CLASSES,
    INPUTS,
    SAMPLES,
    STEPS,
    Array,
    Hand,
    Pass,
    error_of,
    moved,
    product,
    psi,
)
from torch import Tensor

GRADED: dict[str, Callable[[Array], Array]] = {
    "surrogate": lambda v: (v - 1) / (1 + 2 * np.abs(v - 1)),
    "voltage": lambda v: np.maximum(v, 0),
    "raw_voltage": lambda v: v,
}
"""What is averaged over a trial: f(v), whose derivative is the default psi, the rectified membrane, or the membrane."""
SLOPE: dict[str, Callable[[Array], Array]] = {
    "surrogate": psi,
    "voltage": lambda v: (v > 0) * 1.0,
    "raw_voltage": np.ones_like,
}
TINY = 1e-6
"""Added to a row's length."""


def length(rows: Array) -> Array:
    return np.sqrt((rows**2).sum(1, keepdims=True)) + TINY


def positives(loss: str, below: Array, own: Array, classes: Array, tau: float, k: int, normalised: bool) -> Array:
    """Y (B, R) of the contrastive losses: by class, or by which rows are near a sample's own one layer down."""
    if loss == "label":
        mine = (classes[own][:, None] == classes[None]) * 1.0
        return mine / mine.sum(1, keepdims=True)
    seen = below / length(below) if normalised else below
    made = np.zeros((len(own), len(classes)))
    if loss in ("l2", "cosine", "contrastive_hebbian"):
        return made
    for j, row in enumerate(own):
        near = np.array([seen[row] @ other for other in seen])
        order = sorted(range(len(seen)), key=lambda r: (-round(float(near[r]), 9), r))
        if loss == "soft":
            away = np.array([np.sqrt(((seen[row] - other) ** 2).sum()) for other in seen])
            made[j] = np.exp(-away / tau) / np.exp(-away / tau).sum()
        elif loss == "max_all":
            made[j, np.abs(near - near.max()) <= 1e-5 * np.abs(near.max())] = 1
        else:
            made[j, order[: {"max_one": 1, "top_k": k}[loss]]] = 1
    return made


def total_loss(loss: str, u: Tensor, w: Tensor, own: Array, wanted: Array, tau: float) -> Tensor:
    """The sum over samples of the loss, one sample after another."""
    parts = []
    for j in range(len(u)):
        mine = w[int(own[j])]
        if loss == "l2":
            parts.append(((u[j] - mine) ** 2).sum())
        elif loss == "cosine":
            parts.append(1 - (u[j] * mine).sum())
        elif loss == "contrastive_hebbian":
            parts.append(((u[j] ** 2).sum() - (mine**2).sum()) / 2)
        else:
            y = torch.stack([(u[j] * row).sum() / tau for row in w])
            parts.append(-(torch.from_numpy(wanted[j]) * (y - y.exp().sum().log())).sum())
    return torch.stack(parts).sum()


def slopes(
    loss: str, h: Array, t: Array, centre: Array, own: Array, wanted: Array, tau: float, centred: bool, normalised: bool
) -> tuple[Array, Array]:
    """Derivatives of the summed loss by h (B, N) and t (R, N); a direction has none along itself."""
    h, t = (h - centre, t - t.mean(0)) if centred else (h, t)
    short = loss != "contrastive_hebbian" and (normalised or loss == "cosine")
    rows = [a / length(a) if short else a for a in (h, t)]
    u, w = (torch.from_numpy(a).requires_grad_() for a in rows)
    found = torch.autograd.grad(total_loss(loss, u, w, own, wanted, tau), [u, w], allow_unused=True)
    made = [np.zeros_like(a) if g is None else g.numpy() for g, a in zip(found, rows, strict=True)]
    if short:
        made = [(g - (g * r).sum(1, keepdims=True) * r) / length(a) for g, r, a in zip(made, rows, (h, t), strict=True)]
        made = [g * (length(a) > 2 * TINY) for g, a in zip(made, (h, t), strict=True)]
    return made[0], made[1] - made[1].mean(0) if centred else made[1]


class Sigprop(Hand):
    """The rule's hidden layers by hand, over several trials whose centres move."""

    def __init__(self, options: str, net: str = "5-4", **others: Any) -> None:
        super().__init__(f"sigprop{options}", net, **others)
        given = dict(part.split("=") for part in options.split(":")[1:])
        self.form, self.loss = given.get("form", "surrogate"), given.get("loss", "label")
        self.generator, self.embedding = given.get("generator", "target_only"), given.get("embedding", "learned")
        self.centred, self.normalised = (given.get(name, "True") == "True" for name in ("centred", "normalised"))
        self.k, self.tau, self.codes = int(given.get("k", 6)), given.get("tau"), given.get("targets") == "codes"
        self.centres = [np.zeros(len(self.weights(name))) for name in self.names]
        self.means, self.mass, self.seen = np.zeros((CLASSES, INPUTS)), np.zeros(CLASSES), 0

    def temperature(self, features: int) -> float:
        if self.tau is not None:
            return float(self.tau)
        return min(0.3, (2 / features) ** 0.5) if self.normalised else 1.0

    def observe(self, x: Array, labels: Array) -> None:
        """Class means move a tenth of the way in the samples of 128 trials' share of a class."""
        for c in range(CLASSES):
            count = int((labels == c).sum())
            kept = 0.9 ** (count * CLASSES / 128)
            mean = x.mean(0)[labels == c].mean(0) if count else np.zeros(INPUTS)
            self.means[c] = kept * self.means[c] + (1 - kept) * mean
            self.mass[c] = kept * self.mass[c] + 1 - kept

    def target_pass(self, x: Array, labels: Array, output: Array) -> tuple[Pass, Array, Array, Array | None]:
        """The target stream, whose row is each sample's own, the rows' classes, and what was embedded."""
        own, classes, context = labels, np.arange(CLASSES), None
        if self.generator != "target_only":
            own, classes, context = np.arange(SAMPLES), labels, np.eye(CLASSES)[labels]
            if self.generator == "target_loop":
                context = -error_of(output, labels)
                context = context / length(context)
        given = x if self.generator == "target_input" else None
        if self.embedding == "class_means":
            rows = self.means / np.maximum(self.mass, 1e-12)[:, None]
            rows = rows if context is None else context @ rows
            entering = np.broadcast_to(rows, (STEPS, *rows.shape)) + (0 if given is None else given)
            entered = self.run(entering)
            if given is not None:  # beside a train of events the class mean is a current, and no presynaptic activity
                entered.pre[0] = given
            return entered, own, classes, None
        s1 = self.parameter("hidden1.embedding") if self.embedding == "learned" else self.state("embedding")
        return self.run(given, injected=s1 if context is None else context @ s1), own, classes, context

    def expected(self, x: Array, labels: Array) -> tuple[dict[str, Array], dict[str, Array]]:
        """Gradients by parameter, and m of the input stream by layer, of a trial after which centres have moved."""
        self.observe(x, labels)
        first = self.run(x)
        if self.codes:
            own, classes, context, target = labels, np.arange(CLASSES), None, first
        else:
            target, own, classes, context = self.target_pass(x, labels, first.output)
        gradients, m = {}, {}
        below = np.eye(CLASSES)[classes]
        for layer, name in enumerate(self.names):
            h, t = (GRADED[self.form](run.v[layer]).mean(0) for run in (first, target))
            t = self.state(f"{name}.code") if self.codes else t
            tau = self.temperature(h.shape[1])
            wanted = positives(self.loss, below, own, classes, tau, self.k, self.normalised)
            each = slopes(
                self.loss, h, t, self.centres[layer], own, wanted, tau, self.centred, self.normalised
            )  # fmt: skip
            m[name] = each[0] / STEPS
            runs = (first,) if self.codes else (first, target)
            posts = [g / STEPS * SLOPE[self.form](run.v[layer]) for g, run in zip(each, runs, strict=False)]
            streams = list(zip(posts, runs, strict=True))
            gradients[f"{name}.ff.w"] = sum(product(post, run.pre[layer]) for post, run in streams)
            biased = [post for post, run in streams if layer or run is first or run.pre[0].any()]
            gradients[f"{name}.b"] = sum(post.sum((0, 1)) for post in biased) / SAMPLES
            if layer == 0 and self.embedding == "learned" and not self.codes:
                rows = posts[1].sum(0) / SAMPLES
                gradients["hidden1.embedding"] = rows if context is None else context.T @ rows
            self.centres[layer] = moved(self.centres[layer], self.seen, h.mean(0))
            below = t
        self.seen += SAMPLES
        return gradients, m
