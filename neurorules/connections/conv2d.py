"""Two-dimensional convolution, whose weight update is computed by torch's weight-gradient operator."""

from __future__ import annotations

from dataclasses import dataclass

from neurorules.connections._convolution import SquareConvolution
from neurorules.language.ranges import ranged


@ranged("connection 'conv2d'")
@dataclass(frozen=True)
class Conv2d(SquareConvolution):
    """I = K * s over maps (C, H, W), with kernels K of shape (O, C, kernel, kernel).

    Args:
        channels: number of maps O, >= 1.
        kernel: side of the square kernel, >= 1; odd for "same".
        stride: step between positions, >= 1.
        padding: "same" (kernel // 2 zeros around), "valid" (none), or the width of the border of zeros.
    """


ENTRY = Conv2d
