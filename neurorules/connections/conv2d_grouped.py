"""Convolutions with sides, strides, borders and groups of any kind, depth-wise ones and those over lines among them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from neurorules.connections._convolution import Convolution, Pair
from neurorules.language.ranges import Count, ranged


@ranged("connection 'conv2d_grouped'")
@dataclass(frozen=True)
class Conv2dGrouped(Convolution):
    """I = pool(K * s) over maps (C, H, W), with kernels K of shape (O, C / groups, height, width).

    Pairs are numbers along the height and along the width of a map. A line of values is a map of height 1.

    Args:
        channels: number of maps O, >= 1; a multiple of the groups.
        sides: the sides of the kernel, >= 1 each.
        strides: steps between positions of the kernel, >= 1 each.
        borders: widths of the border of zeros, >= 0 each.
        dilations: distances between neighbouring weights of the kernel, >= 1 each.
        groups: the number of groups of maps; a kernel only reads the maps of its own group. If there are as many groups
            as maps, the convolution is depth-wise.
        pools: sides of the windows in which the current is pooled, >= 1 each; (1, 1) for no pool.
        kind: what stands for a window, "max" or "average".
    """

    channels: Count
    sides: Pair = (3, 3)
    strides: Pair = (1, 1)
    borders: Pair = (1, 1)
    dilations: Pair = (1, 1)
    groups: Count = 1
    pools: Pair = (1, 1)
    kind: Literal["max", "average"] = "max"


ENTRY = Conv2dGrouped
