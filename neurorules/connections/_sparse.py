"""The two products of a connection with presynaptic activity, dense or event-driven, whichever costs less.

The choice depends on sizes and on the counted number of values that are not 0, and on nothing that is measured while a
net runs: the same numbers are multiplied in the same way each time, on any number of threads.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from neurorules.connections._multiply import is_recorded, times_transposed
from neurorules.connections._rounded import has_matrix_units
from neurorules.native import events

ADDITION, EVENT, LOOK, MOVE, CALL = 2.9, 80, 40, 25, 4_000_000
"""What an event-driven product costs, in multiply-adds of a dense one: the addition of one weight, a value that is
listed, one that is looked at, a weight that is copied into a table or out of a sum, and the call. Source: measured, and
rounded up so that the dense product wins a tie (python benchmarks/events.py --costs; float32, one thread of a Zen 4
core, against oneDNN)."""

_allowed = [True]


def only_dense() -> None:
    """Make all products of this process dense from now on.

    The choice depends on how many values of a whole batch are not 0, so another sample may change the rounding of this
    one's sums. An audit, which looks for single bits that another sample changes, would find that.
    """
    _allowed[0] = False


def times_weights(pre: Float[Tensor, "R I"], w: Float[Tensor, "O I"]) -> Float[Tensor, "R O"]:
    """The product pre w^T, which is event-driven where few enough values of `pre` are not 0.

    Args:
        pre: (R, I).
        w: (O, I).

    Returns:
        pre w^T, (R, O).
    """
    lists = _lists(pre, w, len(w))
    return times_transposed(pre, w) if lists is None else events.current(lists, w)


def correlated(post: Float[Tensor, "R O"], pre: Float[Tensor, "R I"]) -> Float[Tensor, "O I"]:
    """The product post^T pre, which is event-driven where few enough values of `pre` are not 0.

    Args:
        post: (R, O).
        pre: (R, I).

    Returns:
        post^T pre, (O, I).
    """
    lists = _lists(pre, post, post.shape[1])
    return times_transposed(post.T, pre.T) if lists is None else events.correlation(post, lists)


def most_events(rows: int, inputs: int, outputs: int) -> int:
    """The most values that may differ from 0 where an event-driven product is to cost no more than a dense one.

    Args:
        rows, inputs: sizes of the presynaptic activity, R and I.
        outputs: size of the other factor, O.

    Returns:
        Their number; 0 or less where no number is small enough.
    """
    spared = rows * inputs * (outputs - LOOK) - MOVE * inputs * outputs - CALL
    return int(spared / (ADDITION * outputs + EVENT))


def _lists(pre: Tensor, other: Tensor, outputs: int) -> events.Lists | None:
    """List the entries of presynaptic activity that are not 0; None where a dense product costs no more, or is all
    there is.
    """
    rows, inputs = pre.shape
    limit = most_events(rows, inputs, outputs)
    if not _allowed[0] or limit <= 0 or pre.dtype != other.dtype or is_recorded(pre, other):
        return None
    if _is_rounded() or not events.serves(pre):
        return None
    return events.listed(pre, limit)


def _is_rounded() -> bool:
    """Whether dense products are made by units that multiply bfloat16, several times faster."""
    return torch.get_float32_matmul_precision() == "medium" and has_matrix_units()
