"""Sigprop's signal against its losses by hand: every loss, generator, embedding, form, temperature and centre."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from by_hand import CLASSES, SAMPLES, STEPS, Array, Hand, batch
from sigprop_by_hand import GRADED, Sigprop, length, slopes

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
    for seed in range(4):
        x, labels = batch(seed)
        hand.seen = hand.age() if seed == 3 else hand.seen
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
    hand, left = Sigprop(f":predict={predict}", "12-10", classes=7), 0
    for seed in range(3):
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
                left += int(len(np.unique(scores.round(9))) < 7)
        np.testing.assert_allclose(found.scores.numpy(), expected, rtol=0, atol=1e-10)
        hand.learned = replace(found.learned, parameters=hand.learned.parameters)
    assert (left > 2) == (predict == "subset")  # nodes of several classes were left aside


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
