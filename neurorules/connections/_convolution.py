"""Convolution over maps: the arithmetic that `conv2d` and `conv2d_pooled` share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional, grad

from neurorules.connections._rounded import rounded
from neurorules.contracts.connection import Connection, Shape, uniform
from neurorules.language.errors import UserError
from neurorules.language.ranges import Count, Whole


@dataclass(frozen=True)
class Convolution(Connection):
    """I = K * s over maps (C, H, W), with kernels K of shape (O, C, kernel, kernel).

    Args:
        channels: number of maps O, >= 1.
        kernel: side of the square kernel, >= 1; odd for "same".
        stride: step between positions, >= 1.
        padding: "same" (kernel // 2 zeros around), "valid" (none), or the width of the border of zeros.
    """

    channels: Count
    kernel: Count = 3
    stride: Count = 1
    padding: Literal["same", "valid"] | Whole = "same"

    @property
    def zeros_around(self) -> int:
        """Width of the border of zeros on each side of a map."""
        if isinstance(self.padding, int):
            return self.padding
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

    def initial(self, pre: Shape, generator: torch.Generator, scale: float) -> Float[Tensor, "O C K K"]:
        return uniform(self.weight_shape(pre), self.fan_in(pre), scale, generator)

    def current(self, w: Float[Tensor, "O C K K"], pre: Float[Tensor, "R C H W"]) -> Float[Tensor, "R O H_post W_post"]:
        w_used, pre_used = rounded(w, pre)
        current = functional.conv2d(pre_used, w_used, stride=self.stride, padding=self.zeros_around)
        return current.to(pre.dtype)

    def correlate(
        self, w: Float[Tensor, "O C K K"], post: Float[Tensor, "R O H_post W_post"], pre: Float[Tensor, "R C H W"]
    ) -> Float[Tensor, "O C K K"]:
        post_used, pre_used = rounded(post, pre)
        update = grad.conv2d_weight(pre_used, list(w.shape), post_used, stride=self.stride, padding=self.zeros_around)
        return update.to(w.dtype)

    def transpose(
        self, w: Float[Tensor, "O C K K"], post: Float[Tensor, "R O H_post W_post"], pre: Shape
    ) -> Float[Tensor, "R C H W"]:
        w_used, post_used = rounded(w, post)
        shape = (post.shape[0], *pre)
        carried = grad.conv2d_input(shape, w_used, post_used, stride=self.stride, padding=self.zeros_around)
        return carried.to(post.dtype)
