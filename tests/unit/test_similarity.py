"""Sigprop's losses: each against autograd, and what the choices between them are for."""

from __future__ import annotations

from typing import get_args

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from neurorules.language.errors import UserError
from neurorules.signals._similarity import CONTRASTIVE, FROM_BELOW, Loss, Rows, Similarity, contexts

LOSSES = get_args(Loss)
SAMPLES, CLASSES, FEATURES, TAU = 7, 4, 12, 0.3


def randn(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def prototypes(samples: int = SAMPLES, classes: int = CLASSES, seed: int = 0) -> Rows:
    """One row a class."""
    labels = torch.randint(0, classes, (samples,), generator=torch.Generator().manual_seed(seed))
    return Rows(labels, torch.arange(classes))


def a_row_a_sample(samples: int = SAMPLES, classes: int = CLASSES, seed: int = 0) -> Rows:
    """One row a sample, as where targets depend on the input."""
    labels = torch.randint(0, classes, (samples,), generator=torch.Generator().manual_seed(seed))
    return Rows(torch.arange(samples), labels)


def written_out(how: Similarity, h: Tensor, t: Tensor, centre: Tensor, rows: Rows, positives: Tensor) -> Tensor:
    """The loss of each sample with torch's own functions."""
    if how.centred:
        h, t = h - centre, t - t.mean(-2, keepdim=True)
    own = t[..., rows.own, :]
    if how.loss == "cosine":
        return 1 - functional.cosine_similarity(h, own, dim=-1)
    if how.loss == "contrastive_hebbian":
        return (h.pow(2) - own.pow(2)).sum(-1) / 2
    if how.normalised:
        h, t, own = (functional.normalize(a, dim=-1) for a in (h, t, own))
    if how.loss == "l2":
        return (h - own).pow(2).sum(-1)
    return -(positives * functional.log_softmax(h @ t.transpose(-1, -2) / TAU, -1)).sum(-1)


@pytest.mark.parametrize("lead", [(), (5,)], ids=["a trial", "each step"])
@pytest.mark.parametrize("rows", [prototypes(), a_row_a_sample()], ids=["prototypes", "a row a sample"])
@pytest.mark.parametrize("normalised", [True, False])
@pytest.mark.parametrize("centred", [True, False])
@pytest.mark.parametrize("loss", LOSSES)
def test_derivatives_are_those_of_autograd(
    loss: Loss, centred: bool, normalised: bool, rows: Rows, lead: tuple[int, ...]
) -> None:
    how = Similarity(loss, centred, normalised, k=2)
    h = randn(*lead, SAMPLES, FEATURES, seed=1).requires_grad_()
    t = randn(*lead, len(rows.classes), FEATURES, seed=2).requires_grad_()
    centre = randn(FEATURES, seed=3)
    positives = how.positives(rows, randn(*lead, len(rows.classes), 9, seed=4), TAU)
    expected = written_out(how, h, t, centre, rows, positives)
    to_h, to_t = torch.autograd.grad(expected.sum(), (h, t))
    found = how.compare(h.detach(), t.detach(), centre, rows, positives, TAU)
    torch.testing.assert_close(found.loss, expected.detach(), rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(found.to_h, to_h, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(found.to_t, to_t, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("loss", ["max_all", "max_one"])
@pytest.mark.parametrize("layer", ["first", "deep"])
def test_with_distinct_prototypes_v9_and_v14_have_the_same_targets_as_v1(loss: Loss, layer: str) -> None:
    rows = prototypes()
    below = contexts(rows, CLASSES, randn(1)) if layer == "first" else randn(CLASSES, 30, seed=5)
    mine = Similarity(loss).positives(rows, below, TAU)
    assert torch.equal(mine, Similarity("label").positives(rows, below, TAU))
    assert torch.equal(mine, functional.one_hot(rows.own, CLASSES).double())


def test_with_a_row_a_sample_v9_takes_all_of_the_class_and_v14_the_first() -> None:
    rows = a_row_a_sample()
    below = randn(CLASSES, 30, seed=5)[rows.classes]
    alike = rows.classes[:, None] == rows.classes
    assert torch.equal(Similarity("max_all").positives(rows, below, TAU), alike.double())
    first = Similarity("max_one").positives(rows, below, TAU)
    assert torch.equal(first.argmax(1), torch.stack([row.nonzero()[0, 0] for row in alike]))
    assert torch.equal(first.sum(1), torch.ones(SAMPLES).double())
    shared = Similarity("label").positives(rows, below, TAU)
    assert torch.equal(shared > 0, alike)
    torch.testing.assert_close(shared.sum(1), torch.ones(SAMPLES).double())


def test_top_k_has_k_positives_and_soft_targets_are_a_distribution() -> None:
    rows, below = a_row_a_sample(), randn(SAMPLES, 30, seed=5)
    assert torch.equal(
        Similarity("top_k", k=3).positives(rows, below, TAU).sum(1), torch.full((SAMPLES,), 3.0).double()
    )
    soft = Similarity("soft").positives(rows, below, TAU)
    torch.testing.assert_close(soft.sum(1), torch.ones(SAMPLES).double())
    assert torch.equal(soft.argmax(1), rows.own)


def test_no_positive_is_no_option() -> None:
    with pytest.raises(UserError, match="k is 0"):
        Similarity("top_k", k=0)


def test_positives_from_below_read_no_label_of_a_sample() -> None:
    one, other = a_row_a_sample(seed=1), a_row_a_sample(seed=2)
    below = randn(SAMPLES, 30, seed=5)
    assert not torch.equal(one.classes, other.classes)
    for loss in FROM_BELOW:
        how = Similarity(loss, k=2)
        assert torch.equal(how.positives(one, below, TAU), how.positives(other, below, TAU)), loss


def wrong_class_rates(normalised: bool, classes: int = 10, width: int = 256, depth: int = 4, seeds: int = 50) -> Tensor:
    """How often v9's positives name another class, at layers 0 (the context) to `depth` of random ReLU stacks."""
    rows = Rows(torch.arange(classes), torch.arange(classes))
    how = Similarity("max_one", normalised=normalised)
    wrong = torch.zeros(depth + 1)
    for seed in range(seeds):
        generator = torch.Generator().manual_seed(seed)
        t = torch.eye(classes, dtype=torch.float64)
        for layer in range(depth + 1):
            chosen = how.positives(rows, t, TAU).argmax(1)
            wrong[layer] += (chosen != rows.classes).double().mean() / seeds
            w = torch.randn(t.shape[1], width, generator=generator, dtype=torch.float64)
            t = (t @ w * (2 / t.shape[1]) ** 0.5).clamp(min=0)
    return wrong


def test_targets_that_are_not_normalised_name_the_wrong_class_the_deeper_the_more() -> None:
    wrong = wrong_class_rates(normalised=False)
    assert wrong[0] == 0 and wrong[4] > wrong[3] > wrong[2] >= wrong[1]
    assert wrong[4] > 0.1
    assert not wrong_class_rates(normalised=True).any()


def descend(how: Similarity, steps: int = 300) -> tuple[Tensor, Tensor]:
    """Spread of the targets over their length, before and after gradient steps on both streams' features.

    A linear layer shared by both streams, ReLU behind it; the loss of the layer alone, by its own derivatives.
    """
    rows, x, c = prototypes(60), randn(60, 20, seed=1), randn(CLASSES, 20, seed=2)
    x = x + 2 * c[rows.own]
    w, before, spread = randn(20, 32, seed=3) * 0.3, torch.zeros(()), torch.zeros(())
    for count in range(steps):
        h, t = (x @ w).clamp(min=0), (c @ w).clamp(min=0)
        spread = (t - t.mean(0)).norm() / 32**0.5
        before = spread if count == 0 else before
        found = how.compare(h, t, h.mean(0), rows, how.positives(rows, c, TAU), TAU)
        w = w - 0.01 * (x.T @ (found.to_h * (h > 0)) + c.T @ (found.to_t * (t > 0))) / len(x)
    return before, spread


def test_plain_l2_lets_all_classes_fall_together_and_the_contrastive_losses_keep_them_apart() -> None:
    before, after = descend(Similarity("l2", centred=False, normalised=False), 1500)
    assert after < 0.1 * before
    for loss in CONTRASTIVE - {"soft", "top_k"}:
        before, after = descend(Similarity(loss), 1500)
        assert after > 0.8 * before, loss
