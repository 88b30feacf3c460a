"""Sigprop's signal against its losses by hand: every loss, generator, embedding, form, temperature and centre."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
from by_hand import (
    CLASSES,
    INPUTS,
    SAMPLES,
    STEPS,
    Array,
    Hand,
    Pass,
    batch,
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

    def __init__(self, options: str, net: str = "5-4") -> None:
        super().__init__(f"sigprop{options}", net)
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


OPTIONS = [
    *(
        "",
        ":form=voltage",
        ":form=raw_voltage",
        ":centred=False",
        ":normalised=False",
        ":centred=False:normalised=False",
        ":tau=0.15",
    ),
    *(f":loss={loss}" for loss in ("max_all", "max_one", "soft", "l2", "cosine", "contrastive_hebbian")),
    *(":loss=top_k:k=2", ":loss=soft:normalised=False", ":loss=l2:normalised=False", ":embedding=fixed"),
    *(":embedding=class_means", ":targets=codes", ":targets=codes:form=voltage", ":generator=target_input"),
    *(
        ":generator=target_loop",
        ":generator=target_input:embedding=fixed:loss=top_k:k=3",
        ":generator=target_loop:loss=soft",
    ),
    *(":generator=target_input:loss=max_all", ":generator=target_input:embedding=class_means"),
    *(":generator=target_loop:embedding=class_means", ":form=voltage:loss=cosine"),
]


@pytest.mark.parametrize("options", OPTIONS)
def test_each_layer_goes_down_its_own_loss_between_the_streams(options: str) -> None:
    """Kohan et al. 2023: l = L(h_i, t_i); both streams learn through the same weights, and S_1 with them."""
    hand, changed = Sigprop(options), set()
    # Under the first layer stand classes, all equally far from each other: which k of them are near is no one's choice.
    own = hand.names[1:] if hand.loss == "top_k" else hand.names
    for seed in range(3):
        x, labels = batch(seed)
        found = hand.trial(x, labels)
        gradients, m = hand.expected(x, labels)
        for name, value in gradients.items():
            if name.split(".")[0] in own:
                got = found.gradients[name].numpy()
                np.testing.assert_allclose(got, value, rtol=0, atol=1e-10, err_msg=f"{name} in trial {seed}")
                changed |= {name} if np.abs(value).max() > 1e-6 else set()
        for name in own:
            value = m[name]
            got = found.third_factors[name].over_time(STEPS).numpy()
            np.testing.assert_allclose(got, np.broadcast_to(value, got.shape), rtol=0, atol=1e-10, err_msg=name)
        hand.learned = replace(found.learned, parameters=hand.learned.parameters)
        for name, centre in zip(hand.names, hand.centres, strict=True):
            np.testing.assert_allclose(hand.state(f"{name}.centre"), centre, rtol=0, atol=1e-12)
            assert np.abs(centre).max() > 0.01
    assert changed == {name for name in gradients if name.split(".")[0] in own}


def tree_of(prototypes: Array) -> list[object]:
    """The two nodes whose mean rows have the largest cosine are merged, until one is left: [classes, row, halves]."""
    nodes: list[list[object]] = [[[c], row, []] for c, row in enumerate(prototypes)]
    while len(nodes) > 1:
        rows = [np.asarray(node[1]) for node in nodes]
        pairs = [(a, b) for a in range(len(nodes)) for b in range(a)]
        near = [float(rows[a] @ rows[b] / np.linalg.norm(rows[a]) / np.linalg.norm(rows[b])) for a, b in pairs]
        b, a = sorted(pairs[int(np.argmax(near))])
        one, other = nodes[b], nodes[a]
        sizes = len(one[0]), len(other[0])  # type: ignore[arg-type]
        row = (sizes[0] * rows[b] + sizes[1] * rows[a]) / sum(sizes)
        nodes = [node for node in nodes if node is not one and node is not other]
        nodes.append([one[0] + other[0], row, [one, other]])  # type: ignore[operator]
    return nodes[0]


def descend(h: Array, node: list[object], tau: float, so_far: float, scores: Array) -> None:
    classes, _, halves = node
    if not halves:
        scores[classes[0]] = so_far  # type: ignore[index]
        return
    y = np.array([h @ half[1] / tau for half in halves])  # type: ignore[attr-defined]
    share = y - np.log(np.exp(y).sum())
    for side, half in enumerate(halves):  # type: ignore[arg-type]
        if side == int(np.argmax(share)):
            descend(h, half, tau, so_far + share[side], scores)
        else:
            scores[half[0]] = so_far + share[side] - np.log(len(half[0]))


@pytest.mark.parametrize("predict", ["prototypes", "subset"])
def test_a_class_is_told_by_the_prototypes_of_the_last_hidden_layer(predict: str) -> None:
    """All prototypes by cosine over tau; or the closest subset, down a tree, what is left aside sharing evenly."""
    hand = Sigprop(f":predict={predict}")
    for seed in range(2):
        x, labels = batch(seed)
        found = hand.trial(x, labels)
        first, centre = hand.run(x), hand.state("hidden2.centre")
        target, _, _, _ = hand.target_pass(x, labels, first.output)
        h, t = (GRADED["surrogate"](run.v[1]).mean(0) for run in (first, target))
        u, w = h - centre, t - t.mean(0)
        u, w = u / length(u), w / length(w)
        expected = u @ w.T / 0.3
        if predict == "subset":
            for row, scores in zip(u, expected, strict=True):
                descend(row, tree_of(w), 0.3, 0.0, scores)
        np.testing.assert_allclose(found.scores.numpy(), expected, rtol=0, atol=1e-10)
        hand.learned = replace(found.learned, parameters=hand.learned.parameters)


def test_the_temperature_of_a_wide_layer_follows_its_features() -> None:
    hand = Sigprop("", "40-30")
    x, labels = batch()
    found = hand.trial(x, labels)
    _, m = hand.expected(x, labels)
    for name, value in m.items():
        got = found.third_factors[name].over_time(STEPS).numpy()
        np.testing.assert_allclose(got, np.broadcast_to(value, got.shape), rtol=0, atol=1e-10, err_msg=name)


def test_maps_are_compared_by_averages_over_four_by_four_windows() -> None:
    hand = Hand("sigprop", "c2k3", input_shape=(1, 8, 8))
    x, labels = (np.random.default_rng(0).random((STEPS, SAMPLES, 1, 8, 8)) < 0.5) * 2.0, batch()[1]
    found = hand.trial(x, labels)
    v = found.activity[0].v.values.numpy()
    target, _ = hand.fire(np.broadcast_to(hand.parameter("hidden1.embedding"), (STEPS, CLASSES, 2, 8, 8)))
    h, t = (GRADED["surrogate"](a).mean(0).reshape(-1, 2, 4, 2, 4, 2).mean((3, 5)).reshape(-1, 32) for a in (v, target))
    to_h, _ = slopes("label", h, t, np.zeros(32), labels, np.eye(CLASSES)[labels], 0.25, True, True)
    m = to_h.reshape(-1, 2, 4, 1, 4, 1).repeat(2, 3).repeat(2, 5).reshape(-1, 2, 8, 8) / 4 / STEPS
    got = found.third_factors["hidden1"].over_time(STEPS).numpy()
    np.testing.assert_allclose(got, np.broadcast_to(m, got.shape), rtol=0, atol=1e-10)
