"""Two-dimensional convolution; its weight update is the convolution's own weight-gradient operator."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional, grad

from neurorules.connections._rounded import rounded
from neurorules.contracts.connection import Connection, Shape, uniform
from neurorules.language.errors import UserError
from neurorules.language.ranges import Count, ranged


@ranged("connection 'conv2d'")
@dataclass(frozen=True)
class Conv2d(Connection):
    """I = K * s over maps (C, H, W); K of shape (O, C, kernel, kernel).

    Args:
        channels: number of maps O, >= 1.
        kernel: side of the square kernel, >= 1; odd for "same".
        stride: step between positions, >= 1.
        padding: "same" (kernel // 2 zeros around) or "valid" (none).
    """

    channels: Count
    kernel: Count = 3
    stride: Count = 1
    padding: Literal["same", "valid"] = "same"

    @property
    def zeros_around(self) -> int:
        """Padding on each side."""
        return self.kernel // 2 if self.padding == "same" else 0

    def post_shape(self, pre: Shape) -> Shape:
        if len(pre) != 3:
            raise UserError(f"a convolution reads maps (channels, height, width), found shape {pre}")
        if self.padding == "same" and self.kernel % 2 == 0:
            raise UserError(
                f"a 'same' convolution needs an odd kernel, found {self.kernel}. Use c{self.channels}k{self.kernel}v"
            )
        sides = tuple((n + 2 * self.zeros_around - self.kernel) // self.stride + 1 for n in pre[1:])
        if min(sides) < 1:
            raise UserError(f"a {self.kernel}x{self.kernel} kernel does not fit maps of {pre[1]}x{pre[2]}")
        return (self.channels, *sides)

    def fan_in(self, pre: Shape) -> int:
        return pre[0] * self.kernel**2

    def weight_shape(self, pre: Shape) -> Shape:
        return (self.channels, pre[0], self.kernel, self.kernel)

    def initial(self, pre: Shape, generator: torch.Generator, scale: float) -> Tensor:
        return uniform(self.weight_shape(pre), self.fan_in(pre), scale, generator)

    def current(self, w: Tensor, pre: Tensor) -> Tensor:
        w_used, pre_used = rounded(w, pre)
        found = functional.conv2d(pre_used, w_used, stride=self.stride, padding=self.zeros_around)
        return found.to(pre.dtype)

    def correlate(self, w: Tensor, post: Tensor, pre: Tensor) -> Tensor:
        post_used, pre_used = rounded(post, pre)
        found = grad.conv2d_weight(pre_used, list(w.shape), post_used, stride=self.stride, padding=self.zeros_around)
        return found.to(w.dtype)

    def transpose(self, w: Tensor, post: Tensor, pre: Shape) -> Tensor:
        w_used, post_used = rounded(w, post)
        shape = (post.shape[0], *pre)
        found = grad.conv2d_input(shape, w_used, post_used, stride=self.stride, padding=self.zeros_around)
        return found.to(post.dtype)


ENTRY = Conv2d
