"""A convolution whose output current is pooled before the neurons, as in conv-pool-spike networks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from neurorules.connections._convolution import Pair, SquareConvolution
from neurorules.language.ranges import Count, ranged


@ranged("connection 'conv2d_pooled'")
@dataclass(frozen=True)
class Conv2dPooled(SquareConvolution):
    """I = pool(K * s) over maps (C, H, W), with kernels K of shape (O, C, kernel, kernel).

    Args:
        channels: number of maps O, >= 1.
        kernel: side of the square kernel, >= 1; odd for "same".
        stride: step between positions of the kernel, >= 1.
        padding: "same" (kernel // 2 zeros around), "valid" (none), or the width of the border of zeros.
        pool: side of the square windows, >= 1; rows and columns that do not fill a window are ignored.
        kind: "max" or "average".
    """

    pool: Count = 2
    kind: Literal["max", "average"] = "max"

    @property
    def pools(self) -> Pair:  # type: ignore[override]
        """Height and width of the windows, which are squares."""
        return self.pool, self.pool


ENTRY = Conv2dPooled
