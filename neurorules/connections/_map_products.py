"""The two products of a convolution with presynaptic maps, dense or event by event, whichever is cheaper.

As for matrices (`_products.py`), the choice depends only on sizes and on a count of nonzero values, and not on measured
times, so the same input is always multiplied in the same way, with any number of threads.
"""

from __future__ import annotations

import functools
from math import prod
from typing import NamedTuple

from jaxtyping import Float
from torch import Tensor

from neurorules.connections._products import counts_decide, is_recorded
from neurorules.native.events import maps
from neurorules.native.events.reach import Convolved


class Costs(NamedTuple):
    """Costs of an event-driven product, in multiply-adds of a dense one.

    Args:
        addition: adding one weight, or post factor.
        event: reading a value that is not 0, once for each band of outputs.
        visit: loading and storing a sum that an active position reaches.
        position: a position in front, once for each 32 maps.
        look: inspecting a value.
        move: an output that is written, or read, map by map, beyond what it costs the dense product.
        weight: a weight of the kernels, which is copied into or out of a table.
        call: the call itself.
    """

    addition: float
    event: float
    visit: float
    position: float
    look: float
    move: float
    weight: float
    call: float


CURRENT = Costs(1.0, 100, 3.3, 30, 35, 0, 200, 1_500_000)
CHANGE = Costs(1.3, 80, 0.5, 0, 60, -18, 400, 2_000_000)
"""Source: measured, and rounded up in favour of the dense product (python benchmarks/event_maps.py --costs; float32,
one thread of a Zen 5 core)."""
VECTOR, BAND = 16, 32
"""Outputs that are added together, and those of a band; fewer cost as many."""


def convolved(
    pre: Float[Tensor, "R C H W"], w: Float[Tensor, "O C_of_group Kh Kw"], sizes: Convolved
) -> Float[Tensor, "R O H_post W_post"] | None:
    """The convolution of maps by their events.

    Args:
        pre: presynaptic maps, (R, C, H, W).
        w: kernels, (O, C / groups, height, width).
        sizes: the sizes of the convolution.

    Returns:
        The current, (R, O, H_post, W_post); None if the product should be or has to be dense.
    """
    entries = _entries(pre, w, sizes, CURRENT)
    return None if entries is None else maps.current(pre, w, sizes, entries)


def correlated_maps(
    post: Float[Tensor, "R O H_post W_post"], pre: Float[Tensor, "R C H W"], sizes: Convolved
) -> Float[Tensor, "O C_of_group Kh Kw"] | None:
    """The change of kernels by the events of presynaptic maps.

    Args:
        post: postsynaptic factors, (R, O, H_post, W_post).
        pre: presynaptic maps, (R, C, H, W).
        sizes: the sizes of the convolution.

    Returns:
        The sum over rows and positions of post factor times map, (O, C / groups, height, width); None if the product
        should be or has to be dense.
    """
    entries = _entries(pre, post, sizes, CHANGE)
    return None if entries is None else maps.change(post, pre, sizes, entries)


def work_of(rows: int, sizes: Convolved, entries: float) -> Costs:
    """Count what an event-driven product consists of: the numbers that its costs are multiplied with.

    Args:
        rows: number of rows R.
        sizes: the sizes of the convolution.
        entries: the number of presynaptic values that are not 0, evenly spread.

    Returns:
        The numbers, in the places of their costs.
    """
    each, of_group, pixels = sizes.channels // sizes.groups, sizes.outputs // sizes.groups, prod(sizes.sides)
    bands, values, spans = -(-of_group // BAND), rows * sizes.channels * pixels, -(-each // maps.SPAN)
    reached = prod(sizes.kernel) / prod(sizes.strides) * -(-of_group // VECTOR) * VECTOR
    silent = (1 - min(entries / max(values, 1), 1)) ** (each / spans)
    positions = rows * pixels * sizes.groups * spans
    weights, outputs = sizes.outputs * each * prod(sizes.kernel), rows * sizes.outputs * prod(sizes.out_sides)
    return Costs(
        entries * reached, entries * bands, positions * (1 - silent) * reached, positions, values, outputs, weights, 1
    )


@functools.lru_cache(maxsize=1024)
def most_events(rows: int, sizes: Convolved, costs: Costs) -> int:
    """The largest number of nonzero values for which an event-driven product costs less than a dense one.

    Args:
        rows: number of rows R.
        sizes: the sizes of the convolution.
        costs: those of the product.

    Returns:
        The number; -1 if the dense product is always cheaper.
    """
    dense = rows * prod(sizes.out_sides) * sizes.outputs * sizes.channels // sizes.groups * prod(sizes.kernel)
    low, high = -1, rows * sizes.channels * prod(sizes.sides)
    while low < high:
        entries = (low + high + 1) // 2
        pays = sum(a * b for a, b in zip(costs, work_of(rows, sizes, entries), strict=True)) < dense
        low, high = (entries, high) if pays else (low, entries - 1)
    return low


def _entries(pre: Tensor, other: Tensor, sizes: Convolved, costs: Costs) -> float | None:
    """Count the nonzero values of presynaptic maps.

    Args:
        pre: presynaptic maps, (R, C, H, W).
        other: the other factor of the product.
        sizes: the sizes of the convolution.
        costs: those of the product.

    Returns:
        About the number; None if the product should be or has to be dense.
    """
    most = most_events(len(pre), sizes, costs)
    if most < 0 or not counts_decide() or pre.dtype != other.dtype or is_recorded(pre, other):
        return None
    if not maps.serves(pre):
        return None
    entries = maps.active(pre)
    return entries if entries <= most else None
