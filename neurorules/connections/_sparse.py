"""The two products of a connection with presynaptic activity, dense or event-driven, whichever costs less.

The choice depends on sizes and on the counted number of values that are not 0, and on nothing that is measured while a
net runs: the same numbers are multiplied in the same way each time, on any number of threads.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

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

SMALL = 1 << 18
"""Numbers of a matrix that is listed again each time, since looking at them costs less than holding them."""

_allowed = [True]
_Key = tuple[object, ...]
_listed: ContextVar[dict[_Key, tuple[Tensor, events.Lists | None]] | None] = ContextVar("listed", default=None)


@contextmanager
def listing_once() -> Iterator[None]:
    """Inside the block a large matrix is listed once, however many products read it.

    The block holds every such matrix, and nothing in it may change one in place: a trial does not, which runs all steps
    of its layers and then learns from the same activity.
    """
    token = _listed.set({})
    try:
        yield
    finally:
        _listed.reset(token)


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
    known = _listed.get()
    if known is None or pre.numel() < SMALL:
        return events.listed(pre, limit)
    key = pre.data_ptr(), pre.shape, pre.stride(), pre.dtype, limit
    if key not in known:
        known[key] = pre, events.listed(pre, limit)  # while it is held, no other matrix has its address
    return known[key][1]


def _is_rounded() -> bool:
    """Whether dense products are made by units that multiply bfloat16, several times faster."""
    return torch.get_float32_matmul_precision() == "medium" and has_matrix_units()
