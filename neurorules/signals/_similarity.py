"""Sigprop's losses for one layer, which compare the activity of samples with the target stream, and their derivatives.

Samples are rows h (..., B, N), and targets are rows t (..., K, N). Leading axes, such as time, are compared separately.
Every sample has one target row of its own. The contrastive losses also compare it with the other rows,

    l_j = -sum_k Y_jk log softmax_k(y_j),    y_jk = <h_j, t_k> / tau,

and differ in the positives Y. Source: Kohan, Rietman & Siegelmann 2023 and their library's losses v1, v9, v14, v15.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from neurorules.language.errors import UserError
from neurorules.language.ranges import Count, ranged

Loss = Literal["label", "max_all", "max_one", "top_k", "soft", "l2", "cosine", "contrastive_hebbian"]
FROM_BELOW = frozenset({"max_all", "max_one", "top_k", "soft"})
"""Losses whose positives are computed from the target stream one layer below, without labels."""
CONTRASTIVE = FROM_BELOW | {"label"}
"""Losses that push a sample away from other target rows. The remaining losses only pull it towards its own."""

SMALLEST_NORM = 1e-6
"""Added to norms, so that a silent layer does not divide by 0."""
TIE = 1e-5
"""Relative difference below which two similarities count as equal, because rows of one class differ by rounding."""


class Rows(NamedTuple):
    """The classes of the K target rows, and which row belongs to each sample.

    Args:
        own: index of each sample's own row, (B,).
        classes: class of each row, (K,).
    """

    own: Int[Tensor, "B"]
    classes: Int[Tensor, "K"]


def check_rows(loss: Loss, k: int, rows: int) -> None:
    """Refuse a loss that could not distinguish the target rows.

    Args:
        loss: the name of the loss.
        k: number of positives of top_k.
        rows: number of target rows K.

    Raises:
        UserError: the loss is top_k, and every row would be a positive.
    """
    if loss == "top_k" and k >= rows:
        raise UserError(
            f"loss=top_k with k={k} makes all {rows} class prototypes targets of every sample. Use a smaller k, or "
            f"sigprop:generator=target_input, which has one row per sample"
        )


def contexts(rows: Rows, classes: int, like: Float[Tensor, "..."]) -> Float[Tensor, "K C"]:
    """The target stream below the first layer, which consists of the class of each row.

    Args:
        rows: the target rows.
        classes: the number of classes C.
        like: a tensor that gives the precision of the result.

    Returns:
        One-hot rows (K, C).
    """
    return torch.nn.functional.one_hot(rows.classes, classes).to(like.dtype)


class Compared(NamedTuple):
    """The loss of a comparison, and its derivatives.

    Args:
        loss: the loss of each sample, (..., B).
        to_h: derivative of the sum of losses with respect to h, (..., B, N).
        to_t: derivative of the sum of losses with respect to t, (..., K, N).
    """

    loss: Float[Tensor, "*lead B"]
    to_h: Float[Tensor, "*lead B N"]
    to_t: Float[Tensor, "*lead K N"]


@ranged("loss 'top_k'")
@dataclass(frozen=True)
class Similarity:
    """A loss between two streams.

    Args:
        loss: which rows are the positives of a sample, or how a sample is pulled towards its own row: label (v1: the
            rows of its class), max_all (v9: all rows that are nearest to its own row one layer below), max_one (v14:
            the first of these), top_k (v15: the k nearest), soft (weights from a softmax of minus the distance), l2
            (squared distance to its own row), cosine (1 - cosine with its own row), or contrastive_hebbian (half of
            |h|^2 - |t|^2: Hebbian in the phase of the targets, anti-Hebbian in that of the samples; Movellan 1991).
        centred: whether a running mean is subtracted from h, and the mean over rows from t.
        normalised: whether rows are scaled to length 1; contrastive_hebbian, which compares lengths, does not scale
            them.
        k: number of positives of top_k, >= 1.
    """

    loss: Loss = "label"
    centred: bool = True
    normalised: bool = True
    k: Count = 6

    def positives(self, rows: Rows, below: Float[Tensor, "*lead K M"], tau: float) -> Float[Tensor, "*some_lead B K"]:
        """The weight of each target row as a positive of each sample.

        Args:
            rows: the target rows.
            below: the target stream one layer below, (..., K, M); for the first layer it is `contexts`. Losses that
                compare with the rows of a class read its precision alone.
            tau: temperature of the soft targets, > 0.

        Returns:
            Y, (..., B, K), or (B, K) for losses that read no stream below. Its rows sum to 1, except for max_all and
            top_k, where they sum to the number of positives, as in the authors' library.
        """
        if self.loss not in FROM_BELOW:
            mine = (rows.classes[rows.own][:, None] == rows.classes).to(below.dtype)
            return mine / mine.sum(-1, keepdim=True)
        stream = unit(below)[0] if self.normalised else below
        if self.loss == "soft":
            near = torch.softmax(-torch.cdist(stream, stream) / tau, -1)
        else:
            near = self._nearest(stream @ stream.mT)
        return near.index_select(-2, rows.own)

    def _nearest(self, similarity: Float[Tensor, "*lead K K"]) -> Float[Tensor, "*lead K K"]:
        """A matrix with 1 where a row is among those nearest to another row, in the sense of the loss."""
        if self.loss == "top_k":
            chosen = similarity.topk(min(self.k, similarity.shape[-1]), -1).indices
            return torch.zeros_like(similarity).scatter_(-1, chosen, 1.0)
        most = similarity.amax(-1, keepdim=True)
        ties = (similarity >= most - TIE * most.abs()).to(similarity.dtype)
        return ties if self.loss == "max_all" else first_of(ties)

    def scores(
        self, h: Float[Tensor, "*lead B N"], t: Float[Tensor, "*lead K N"], centre: Tensor | float, tau: float
    ) -> Float[Tensor, "*lead B K"]:
        """The similarity of each sample to each target row.

        Args:
            h: rows of the samples, (..., B, N).
            t: rows of the targets, (..., K, N).
            centre: the value to subtract from h if `centred`, such as (N,).
            tau: temperature, > 0.

        Returns:
            y, (..., B, K).
        """
        u, w = h - centre if self.centred else h, t - t.mean(-2, keepdim=True) if self.centred else t
        return (unit(u)[0] @ unit(w)[0].mT if self.normalised else u @ w.mT) / tau

    def compare(
        self, h: Float[Tensor, "*lead B N"], t: Float[Tensor, "*lead K N"], centre: Tensor | float, rows: Rows,
        positives: Float[Tensor, "*lead_or_none B K"], tau: float,
    ) -> Compared:  # fmt: skip
        """Compute the loss of each sample and its derivatives.

        Args:
            h: rows of the samples, (..., B, N).
            t: rows of the targets, (..., K, N).
            centre: the value to subtract from h if `centred`, such as (N,); derivatives hold it fixed.
            rows: the index of each sample's own row.
            positives: Y, the result of `positives`; only the contrastive losses read it.
            tau: temperature, > 0; only the contrastive losses read it.

        Returns:
            The losses, and the derivatives of their sum with respect to h and to t.
        """
        if self.centred:
            h, t = h - centre, t - t.mean(-2, keepdim=True)
        if self.loss == "contrastive_hebbian" or not (self.normalised or self.loss == "cosine"):
            loss, to_h, to_t = self._derive(h, t, rows, positives, tau)
        else:
            (u, h_norm), (w, t_norm) = unit(h), unit(t)
            loss, to_u, to_w = self._derive(u, w, rows, positives, tau)
            to_h, to_t = through_unit(to_u, u, h_norm), through_unit(to_w, w, t_norm)
        return Compared(loss, to_h, to_t - to_t.mean(-2, keepdim=True) if self.centred else to_t)

    def _derive(self, u: Tensor, w: Tensor, rows: Rows, positives: Tensor, tau: float) -> Compared:
        """The loss and its derivatives with respect to rows that are centred and, where the loss asks for it, of length
        1."""
        if self.loss in CONTRASTIVE:
            logits = u @ w.mT / tau
            mass = positives.sum(-1, keepdim=True)
            error = (mass * torch.softmax(logits, -1) - positives) / tau
            return Compared(-(positives * torch.log_softmax(logits, -1)).sum(-1), error @ w, error.mT @ u)
        own = w.index_select(-2, rows.own)
        if self.loss == "l2":
            loss, to_u, to_own = (u - own).square().sum(-1), 2 * (u - own), 2 * (own - u)
        elif self.loss == "contrastive_hebbian":
            loss, to_u, to_own = (u.square() - own.square()).sum(-1) / 2, u, -own
        else:
            loss, to_u, to_own = 1 - (u * own).sum(-1), -own, -u
        return Compared(loss, to_u, torch.zeros_like(w).index_add(-2, rows.own, to_own))


def unit(rows: Float[Tensor, "*lead N"]) -> tuple[Float[Tensor, "*lead N"], Float[Tensor, "*lead 1"]]:
    """Rows scaled to length 1, and the lengths (..., 1) that they were divided by."""
    norm = rows.norm(dim=-1, keepdim=True) + SMALLEST_NORM
    return rows / norm, norm


def through_unit(
    gradient: Float[Tensor, "*lead N"], directions: Float[Tensor, "*lead N"], norm: Float[Tensor, "*lead 1"]
) -> Float[Tensor, "*lead N"]:
    """The adjoint of `unit`: the component of a gradient that is orthogonal to its row, divided by the row's length.

    A row x of length |x| is divided by |x| + e, so its derivative along x is e / (|x| + e)^2, which is neglected. A row
    of zeros, such as a trace before the first spike, has no direction, and its derivative is 0.

    Args:
        gradient: derivative with respect to the rows of length 1, (..., N).
        directions: the rows of length 1, (..., N).
        norm: the lengths that `unit` divided by, (..., 1).

    Returns:
        Derivative with respect to the rows themselves, (..., N).
    """
    across = (gradient - (gradient * directions).sum(-1, keepdim=True) * directions) / norm
    return across * (norm > 2 * SMALLEST_NORM)


def first_of(mask: Float[Tensor, "*lead K"]) -> Float[Tensor, "*lead K"]:
    """Keep the first 1 of each row of zeros and ones, and set the others to 0."""
    return torch.nn.functional.one_hot(mask.argmax(-1), mask.shape[-1]).to(mask.dtype)
