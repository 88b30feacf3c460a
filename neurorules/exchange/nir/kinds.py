"""The types of NIR's nodes, by what becomes of them here."""

from __future__ import annotations

from typing import Any

INTEGRATORS = ("I", "LI", "CubaLI")
"""Nodes with a state that send their membrane, and spike where a Threshold follows."""
SPIKING = ("IF", "LIF", "CubaLIF")
"""Nodes with a state that spike."""
DENSE = ("Linear", "Affine")
"""Nodes that multiply by a matrix."""
CONVOLUTIONS = ("Conv1d", "Conv2d")
"""Nodes that convolve lines or maps with kernels."""
POOLS = ("AvgPool2d", "SumPool2d")
"""Nodes that pool maps."""
DELAY = "Delay"
"""The type of nodes that hand on later what reaches them."""


def kind_of(node: Any) -> str:
    """The name of a node's type.

    Args:
        node: a node of NIR.
    """
    return type(node).__name__
