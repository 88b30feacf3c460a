"""A full weight matrix, and its two products with presynaptic activity: dense or event by event, whichever is cheaper.

The choice depends only on sizes and on the number of nonzero values, and not on measured times, so the same input is
always multiplied in the same way, with any number of threads. Dense products use MKL or oneDNN, whichever is faster on
this processor.
"""

from __future__ import annotations

import functools
import platform
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

from neurorules.connections._rounded import has_matrix_units
from neurorules.contracts.connection import Connection, Shape, uniform
from neurorules.language.errors import UserError
from neurorules.language.ranges import Count
from neurorules.native import events

ADDITION, EVENT, LOOK, MOVE, CALL = 2.9, 80, 40, 25, 4_000_000
"""Costs of an event-driven product, in multiply-adds of a dense one: adding one weight, listing a value, inspecting a
value, copying a weight into a table or out of a sum, and the call itself. Source: measured, and rounded up in favour of
the dense product (python benchmarks/events.py --costs; float32, one thread of a Zen 4 core, against oneDNN)."""

SMALL = 1 << 18
"""Numbers of a matrix that is listed again each time, since looking at them costs less than holding them."""

_allowed = [True]
_Key = tuple[object, ...]
_listed: ContextVar[dict[tuple[_Key, int], tuple[Tensor, events.Lists | None]] | None] = ContextVar(
    "listed", default=None
)


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
    """Use only dense products in this process from now on.

    The choice depends on the number of nonzero values in the whole batch, so one sample may change the rounding of
    another sample's sums. An audit compares bits, and would report this as a dependence.
    """
    _allowed[0] = False


@dataclass(frozen=True)
class Matrix(Connection):
    """I = W s, W of shape (O, I): every presynaptic neuron reaches every postsynaptic one.

    Args:
        size: number of postsynaptic neurons O, >= 1.
    """

    size: Count

    def post_shape(self, pre: Shape) -> Shape:
        if len(pre) != 1:
            raise UserError(f"a dense connection reads a flat population, found shape {pre}. Flatten it first")
        return (self.size,)

    def fan_in(self, pre: Shape) -> int:
        return pre[0]

    def weight_shape(self, pre: Shape) -> Shape:
        return (self.size, pre[0])

    def initial(self, pre: Shape, generator: torch.Generator, scale: float) -> Float[Tensor, "O I"]:
        return uniform(self.weight_shape(pre), self.fan_in(pre), scale, generator)

    def current(self, w: Float[Tensor, "O I"], pre: Float[Tensor, "R I"]) -> Float[Tensor, "R O"]:
        return times_weights(pre, w)

    def correlate(
        self, w: Float[Tensor, "O I"], post: Float[Tensor, "R O"], pre: Float[Tensor, "R I"]
    ) -> Float[Tensor, "O I"]:
        return correlated(post, pre)

    def transpose(self, w: Float[Tensor, "O I"], post: Float[Tensor, "R O"], pre: Shape) -> Float[Tensor, "R I"]:
        return times_transposed(post, w.T)


def times_weights(pre: Float[Tensor, "R I"], w: Float[Tensor, "O I"]) -> Float[Tensor, "R O"]:
    """The product pre w^T, which is event-driven if few values of `pre` are nonzero.

    Args:
        pre: (R, I).
        w: (O, I).

    Returns:
        pre w^T, (R, O).
    """
    lists = _lists(pre, w, len(w))
    return times_transposed(pre, w) if lists is None else events.current(lists, w)


def correlated(post: Float[Tensor, "R O"], pre: Float[Tensor, "R I"]) -> Float[Tensor, "O I"]:
    """The product post^T pre, which is event-driven if few values of `pre` are nonzero.

    Args:
        post: (R, O).
        pre: (R, I).

    Returns:
        post^T pre, (O, I).
    """
    if len(pre) == 1 and not is_recorded(post, pre):
        return post.T * pre  # dense products of one row take longer than its numbers
    lists = _lists(pre, post, post.shape[1])
    return times_transposed(post.T, pre.T) if lists is None else events.correlation(post, lists)


def most_events(rows: int, inputs: int, outputs: int) -> int:
    """The largest number of nonzero values for which an event-driven product costs no more than a dense one.

    Args:
        rows, inputs: sizes of the presynaptic activity, R and I.
        outputs: size of the other factor, O.

    Returns:
        The number; 0 or less if the dense product is always cheaper.
    """
    spared = rows * inputs * (outputs - LOOK) - MOVE * inputs * outputs - CALL
    return int(spared / (ADDITION * outputs + EVENT))


def _lists(pre: Tensor, other: Tensor, outputs: int) -> events.Lists | None:
    """List the nonzero entries of presynaptic activity.

    Args:
        pre: presynaptic activity, (R, I).
        other: the other factor of the product, for its data type.
        outputs: size of the other factor, O.

    Returns:
        The lists; None if the product should be or has to be dense.
    """
    rows, inputs = pre.shape
    limit = most_events(rows, inputs, outputs)
    if limit <= 0 or not counts_decide() or pre.dtype != other.dtype or is_recorded(pre, other):
        return None
    if not events.serves(pre):
        return None
    lists = _listed.get()
    if lists is None or pre.numel() < SMALL:
        return events.listed(pre, limit)
    key = _identity(pre), limit
    if key not in lists:
        lists[key] = pre, events.listed(pre, limit)  # while it is held, no other matrix has its address
    return lists[key][1]


def _identity(matrix: Tensor) -> _Key:
    return matrix.data_ptr(), matrix.shape, matrix.stride(), matrix.dtype


def listed_totals(pre: Float[Tensor, "R I"]) -> Float[Tensor, "I"] | None:
    """The sums of the columns of presynaptic activity, if a product has listed it inside this block of `listing_once`.

    Args:
        pre: (R, I).

    Returns:
        The sums, (I,); None if there is no list of it.
    """
    identity = _identity(pre)
    for (other, _), (_, lists) in (_listed.get() or {}).items():
        if other == identity and lists is not None:
            return events.totals(lists)
    return None


def counts_decide() -> bool:
    """Whether products may be event-driven in this process; not in audits, and not where dense products run on matrix
    units for bfloat16, which are several times faster."""
    return _allowed[0] and not (torch.get_float32_matmul_precision() == "medium" and has_matrix_units())


def times_transposed(a: Float[Tensor, "R K"], b: Float[Tensor, "O K"]) -> Float[Tensor, "R O"]:
    """The product a b^T of two matrices with any strides.

    On CPUs, torch multiplies float32 matrices with MKL, which runs at half speed or less on processors that are not
    Intel's. oneDNN, which torch contains for convolutions, is faster there (3200 x 784 x 1000 on two Zen 5 cores: 37 ms
    instead of 78 ms). Both compute a float32 product.

    Args:
        a: (R, K).
        b: (O, K).

    Returns:
        a b^T, (R, O).
    """
    if a.dtype == torch.float32 and a.device.type == "cpu" and not is_recorded(a, b) and _onednn_is_faster():
        return _onednn_product(a, b)
    return a @ b.T


def is_recorded(a: Tensor, b: Tensor) -> bool:
    """Whether autograd records operations on one of the factors; then torch has to multiply them."""
    return torch.is_grad_enabled() and (a.requires_grad or b.requires_grad)


def _onednn_product(a: Float[Tensor, "R K"], b: Float[Tensor, "O K"]) -> Float[Tensor, "R O"]:
    """Multiply with an operator of torch that is not public; `_onednn_is_faster` checks whether this version has it."""
    return torch.ops.mkldnn._linear_pointwise(a, b, None, "none", [], "")


@functools.cache
def _onednn_is_faster() -> bool:
    """Whether the processor is from AMD, and this version of torch has the operator, and the operator multiplies
    correctly."""
    if not _is_amd() or not torch.backends.mkldnn.is_available():
        return False
    a, b = torch.arange(6.0).reshape(2, 3), torch.arange(12.0).reshape(3, 4).T
    try:
        product = _onednn_product(a, b)
    except (AttributeError, RuntimeError, TypeError):  # other versions may lack this private operator
        return False
    return bool(torch.equal(product, a @ b.T))


def _is_amd() -> bool:
    """Whether the processor was made by AMD."""
    try:
        return "AuthenticAMD" in Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return "AuthenticAMD" in platform.processor()
