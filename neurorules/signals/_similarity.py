"""Sigprop's losses of one layer: how a sample's activity is compared with the target stream's, and the derivatives.

Rows: h (..., B, N) of the samples, t (..., R, N) of the targets; leading dimensions, such as time, are compared each by
itself. Every sample has one target row of its own; the contrastive losses see the other rows too,

    l_j = -sum_k Y_jk log softmax_k(y_j),    y_jk = <h_j, t_k> / tau,

and differ in the positives Y. Source: Kohan, Rietman & Siegelmann 2023 and their library's losses v1, v9, v14, v15.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple

import torch
from torch import Tensor

from neurorules.language.errors import UserError
from neurorules.language.ranges import Count, ranged

Loss = Literal["label", "max_all", "max_one", "top_k", "soft", "l2", "cosine", "contrastive_hebbian"]
FROM_BELOW = frozenset({"max_all", "max_one", "top_k", "soft"})
"""Losses whose positives are read from the target stream one layer down, and from no label."""
CONTRASTIVE = FROM_BELOW | {"label"}
"""Losses in which a sample is pushed off the other rows; the others only pull it to its own."""

SMALLEST_NORM = 1e-6
"""Added to norms, so that a silent layer has a direction."""
TIE = 1e-5
"""Relative distance at which two similarities count as equal: rows of one class differ by rounding."""


class Rows(NamedTuple):
    """The target rows: which is each sample's own (B,), and the class of each row (R,)."""

    own: Tensor
    classes: Tensor


def check_rows(loss: Loss, k: int, rows: int) -> None:
    """Whether a loss can tell so many target rows apart.

    Raises:
        UserError: top_k, and all rows would be positives.
    """
    if loss == "top_k" and k >= rows:
        raise UserError(
            f"loss=top_k with k={k} makes all {rows} class prototypes targets of every sample. Use a smaller k, or "
            f"sigprop:generator=target_input, which has a row a sample"
        )


def contexts(rows: Rows, classes: int, like: Tensor) -> Tensor:
    """What stands under the first layer of the target stream: the class of each row, one-hot, (R, classes)."""
    return torch.nn.functional.one_hot(rows.classes, classes).to(like.dtype)


class Compared(NamedTuple):
    """The loss of each sample (..., B), and the derivative of their sum by h (..., B, N) and by t (..., R, N)."""

    loss: Tensor
    to_h: Tensor
    to_t: Tensor


@ranged("loss 'top_k'")
@dataclass(frozen=True)
class Similarity:
    """A loss between two streams.

    Args:
        loss: label (v1: rows of the sample's class), max_all (v9: all rows nearest to its own target, seen one layer
            down), max_one (v14: the first of them), top_k (v15: the k nearest), soft (softmax of minus their
            distance), l2 (squared distance to its own row), cosine (1 - cosine with it), or contrastive_hebbian (half
            of |h|^2 - |t|^2: Hebbian in the target's phase, anti-Hebbian in the sample's; Movellan 1991).
        centred: whether a running mean is taken from h, and the mean row from t.
        normalised: whether rows are brought to length 1; not those of contrastive_hebbian, which compares lengths.
        k: of top_k.
    """

    loss: Loss = "label"
    centred: bool = True
    normalised: bool = True
    k: Count = 6

    def positives(self, rows: Rows, below: Tensor, tau: float) -> Tensor:
        """Y (..., B, R); rows of max_all and top_k sum to the number of their positives, as in the library.

        Args:
            rows: the target rows.
            below: the target stream one layer down, (..., R, M); under the first layer `contexts`.
            tau: temperature of the soft targets.
        """
        if self.loss == "label":
            mine = (rows.classes[rows.own][:, None] == rows.classes).to(below.dtype)
            return mine / mine.sum(-1, keepdim=True)
        seen = unit(below)[0] if self.normalised else below
        if self.loss == "soft":
            near = torch.softmax(-torch.cdist(seen, seen) / tau, -1)
        else:
            near = self._nearest(seen @ seen.mT)
        return near.index_select(-2, rows.own)

    def _nearest(self, similarity: Tensor) -> Tensor:
        if self.loss == "top_k":
            chosen = similarity.topk(min(self.k, similarity.shape[-1]), -1).indices
            return torch.zeros_like(similarity).scatter_(-1, chosen, 1.0)
        most = similarity.amax(-1, keepdim=True)
        ties = (similarity >= most - TIE * most.abs()).to(similarity.dtype)
        return ties if self.loss == "max_all" else first_of(ties)

    def scores(self, h: Tensor, t: Tensor, centre: Tensor | float, tau: float) -> Tensor:
        """y (..., B, R): how near each sample is to each row."""
        u, w = h - centre if self.centred else h, t - t.mean(-2, keepdim=True) if self.centred else t
        return (unit(u)[0] @ unit(w)[0].mT if self.normalised else u @ w.mT) / tau

    def compare(
        self, h: Tensor, t: Tensor, centre: Tensor | float, rows: Rows, positives: Tensor, tau: float
    ) -> Compared:
        """The loss and its derivatives.

        Args:
            h, t: (..., B, N) and (..., R, N).
            centre: what is taken from h where `centred`, (N,); held fixed.
            rows: the target rows.
            positives: Y, as `positives` gives it; read by the losses with other rows alone.
            tau: temperature, > 0; likewise.
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


def unit(rows: Tensor) -> tuple[Tensor, Tensor]:
    """Rows of length 1 and the lengths (..., 1) they were divided by."""
    norm = rows.norm(dim=-1, keepdim=True) + SMALLEST_NORM
    return rows / norm, norm


def through_unit(gradient: Tensor, directions: Tensor, norm: Tensor) -> Tensor:
    """The adjoint of `unit`: what is left of a gradient across the row, divided by the row's length.

    A row x of length |x| is divided by |x| + e, so that its derivative along itself is e / (|x| + e)^2, taken as 0.
    A row of zeros, such as a trace before the first spike, has no direction to turn, and gets 0.
    """
    across = (gradient - (gradient * directions).sum(-1, keepdim=True) * directions) / norm
    return across * (norm > 2 * SMALLEST_NORM)


def first_of(mask: Tensor) -> Tensor:
    """Of each row's ones only the first: (..., R) of zeros and ones."""
    return torch.nn.functional.one_hot(mask.argmax(-1), mask.shape[-1]).to(mask.dtype)
