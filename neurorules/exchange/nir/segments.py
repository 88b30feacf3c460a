"""The places at which a way of nodes without a state is cut, because one connection cannot hold it whole.

A connection here is a matrix or a convolution, with pools and a Flatten before it and perhaps one pool behind a
convolution. A longer way becomes several: between them stand neurons without threshold and memory, which hand on the
current that reaches them.
"""

from __future__ import annotations

from typing import Any

from neurorules.exchange.nir.kinds import CONVOLUTIONS, DENSE, POOLS, kind_of
from neurorules.exchange.nir.windows import Window, window_of

WHOLE = Window((1, 1), (1, 1), (0, 0))
"""The window of a pool that changes nothing."""


def cut_of(nodes: tuple[tuple[str, Any], ...], where: str) -> str | None:
    """The node behind which a way is cut first.

    Args:
        nodes: names and nodes of the way, from its source on.
        where: names the graph in messages.

    Returns:
        The name of a node whose values get neurons of their own; None where one connection holds the whole way.

    Raises:
        UserError: a window with numbers that none can have.
    """
    holds, pooled, before = "", False, ""
    for name, node in nodes:
        kind = kind_of(node)
        if kind in DENSE:
            if holds == "maps":
                return before
            holds = "matrix"
        elif kind in CONVOLUTIONS:
            if holds:
                return before
            holds = "maps"
        elif kind in POOLS and (window := window_of(node, f"{where}: node '{name}' ({kind})")) != WHOLE:
            if holds and (pooled or holds == "matrix" or not window.tiles):
                return before
            pooled = pooled or bool(holds)
            holds = "maps" if holds or not (window.tiles and window.square) else ""
        elif kind == "Flatten" and holds == "maps":
            return before
        before = name
    return None
