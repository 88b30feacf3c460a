"""A convolution from the maps of a population to themselves, one step late."""

from __future__ import annotations

from dataclasses import dataclass

from neurorules.connections._convolution import Convolution, Pair
from neurorules.language.ranges import Count, ranged


@ranged("connection 'recurrent_conv2d'")
@dataclass(frozen=True)
class RecurrentConv2d(Convolution):
    """I[t] = K * s[t-1] over the maps (C, H, W) of one population, with kernels K of shape (C, C, height, width).

    Args:
        channels: number of maps C, >= 1.
        sides: the sides of the kernel, both odd; a border of zeros keeps the maps as large as they are.
    """

    channels: Count
    sides: Pair = (3, 3)
    recurrent = True

    @property
    def strides(self) -> Pair:
        return 1, 1

    @property
    def borders(self) -> Pair:
        return self.sides[0] // 2, self.sides[1] // 2


ENTRY = RecurrentConv2d
