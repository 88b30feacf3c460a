"""Convolution over maps, with or without a pool behind it: the arithmetic that all convolutions share."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional, grad

from neurorules.connections._map_products import convolved, correlated_maps
from neurorules.connections._products import is_recorded
from neurorules.connections._rounded import rounded
from neurorules.contracts.connection import Connection, Shape, uniform
from neurorules.language.errors import UserError
from neurorules.language.ranges import Count, Whole
from neurorules.native import pools
from neurorules.native.events.reach import Convolved

Pair = tuple[int, int]
"""One number along the height and one along the width of a map."""


class Convolution(Connection):
    """I = pool(K * s) over maps (C, H, W), with kernels K of shape (O, C / groups, height, width).

    Of a maximum, an update and a carried value reach the position that held it, the first of equal ones, as torch's
    own derivative does. Where the presynaptic factor is no spike but a trace, the maximum is taken of the current that
    the trace would bring.
    """

    channels: int
    """Number of maps O."""
    groups: int = 1
    """Number of groups of maps; a kernel reads the maps of its own group alone."""
    pools: Pair = (1, 1)
    """Sides of the windows that the current is pooled in, which do not overlap; (1, 1) for no pool. Rows and columns
    that fill no window are left out."""
    kind: Literal["max", "average"] = "max"
    """What stands for a window."""

    @property
    @abstractmethod
    def sides(self) -> Pair:
        """Height and width of the kernel."""

    @property
    @abstractmethod
    def strides(self) -> Pair:
        """Steps between positions of the kernel."""

    @property
    @abstractmethod
    def borders(self) -> Pair:
        """Widths of the border of zeros around a map."""

    @property
    def dilations(self) -> Pair:
        """Distances between neighbouring weights of the kernel."""
        return (1, 1)

    @property
    def linear(self) -> bool:  # type: ignore[override]
        """Whether the current is linear in the presynaptic activity, as that of an average is."""
        return self.kind == "average" or self.pools == (1, 1)

    def post_shape(self, pre: Shape) -> Shape:
        maps, *sides = self._whole_shape(pre)
        if min(side // pool for side, pool in zip(sides, self.pools, strict=True)) < 1:
            raise UserError(
                f"a pool of {_by(self.pools)} does not fit maps of {_by(sides)}. Use a smaller pool or larger maps"
            )
        return (maps, *(side // pool for side, pool in zip(sides, self.pools, strict=True)))

    def _whole_shape(self, pre: Shape) -> Shape:
        """Shape of the maps before the pool."""
        if len(pre) != 3:
            raise UserError(f"a convolution reads maps (channels, height, width) and gets shape {pre}. Use it on maps")
        if pre[0] % self.groups or self.channels % self.groups:
            raise UserError(
                f"{self.groups} groups do not divide {pre[0]} maps, or the {self.channels} behind them. Choose numbers "
                f"of maps that they divide"
            )
        sides = tuple(
            (n + 2 * border - distance * (side - 1) - 1) // stride + 1
            for n, border, distance, side, stride in zip(
                pre[1:], self.borders, self.dilations, self.sides, self.strides, strict=True
            )
        )
        if min(sides) < 1:
            raise UserError(
                f"a {_by(self.sides)} kernel does not fit maps of {pre[1]}x{pre[2]}. Use a smaller one or larger maps"
            )
        return (self.channels, *sides)

    def fan_in(self, pre: Shape) -> int:
        numbers = zip(self.sides, self.strides, self.dilations, self.pools, strict=True)
        places = [
            {cell * stride + place * distance for cell in range(pool) for place in range(side)}
            for side, stride, distance, pool in numbers
        ]
        return pre[0] // self.groups * prod(map(len, places))

    def weight_shape(self, pre: Shape) -> Shape:
        return (self.channels, pre[0] // self.groups, *self.sides)

    def initial(self, pre: Shape, generator: torch.Generator, scale: float) -> Float[Tensor, "O C Kh Kw"]:
        return uniform(self.weight_shape(pre), self.fan_in(pre), scale, generator)

    def current(
        self, w: Float[Tensor, "O C Kh Kw"], pre: Float[Tensor, "R C_pre H W"]
    ) -> Float[Tensor, "R O H_post W_post"]:
        whole = self._whole(w, pre)
        if self.pools == (1, 1):
            return whole
        pool = functional.avg_pool2d if self.kind == "average" else functional.max_pool2d
        return pool(whole, self.pools)

    def correlate(
        self, w: Float[Tensor, "O C Kh Kw"], post: Float[Tensor, "R O H_post W_post"],
        pre: Float[Tensor, "R C_pre H W"],
    ) -> Float[Tensor, "O C Kh Kw"]:  # fmt: skip
        whole = self._spread(w, post, pre)
        by_events = correlated_maps(whole, pre, self._sizes(pre))
        if by_events is not None:
            return by_events
        post_used, pre_used = rounded(whole, pre)
        update = grad.conv2d_weight(
            pre_used, list(w.shape), post_used, self.strides, self.borders, self.dilations, self.groups
        )
        return update.to(w.dtype)

    def transpose(
        self, w: Float[Tensor, "O C Kh Kw"], post: Float[Tensor, "R O H_post W_post"], pre: Shape
    ) -> Float[Tensor, "R C_pre H W"]:
        return self.carry(w, post, post.new_zeros(1).expand(post.shape[0], *pre))

    def carry(
        self, w: Float[Tensor, "O C Kh Kw"], post: Float[Tensor, "R O H_post W_post"],
        pre: Float[Tensor, "R C_pre H W"],
    ) -> Float[Tensor, "R C_pre H W"]:  # fmt: skip
        w_used, post_used = rounded(w, self._spread(w, post, pre))
        carried = grad.conv2d_input(
            tuple(pre.shape), w_used, post_used, self.strides, self.borders, self.dilations, self.groups
        )
        return carried.to(post.dtype)

    def _whole(
        self, w: Float[Tensor, "O C Kh Kw"], pre: Float[Tensor, "R C_pre H W"]
    ) -> Float[Tensor, "R O H_conv W_conv"]:
        """The current before the pool."""
        by_events = convolved(pre, w, self._sizes(pre))
        if by_events is not None:
            return by_events
        w_used, pre_used = rounded(w, pre)
        current = functional.conv2d(pre_used, w_used, None, self.strides, self.borders, self.dilations, self.groups)
        return current.to(pre.dtype)

    def _sizes(self, pre: Float[Tensor, "R C_pre H W"]) -> Convolved:
        """The sizes of the convolution of these rows."""
        channels, high, wide = pre.shape[1:]
        _, *behind = self._whole_shape((channels, high, wide))
        return Convolved(
            channels, (high, wide), self.channels, (behind[0], behind[1]), self.groups, self.sides, self.strides,
            self.borders, self.dilations,
        )  # fmt: skip

    def _spread(
        self, w: Float[Tensor, "O C Kh Kw"], post: Float[Tensor, "R O H_post W_post"],
        pre: Float[Tensor, "R C_pre H W"],
    ) -> Float[Tensor, "R O H_conv W_conv"]:  # fmt: skip
        """Values of pooled positions on the positions of the convolution that they are made of."""
        if self.pools == (1, 1):
            return post
        if self.kind == "max" and pools.serves(pre, post, self.pools) and not is_recorded(w, post):
            return pools.back(self._whole(w, pre), post)
        spread = post.new_zeros(post.shape[0], *self._whole_shape(tuple(pre.shape[1:])))
        if self.kind == "average":
            rows, columns = post.shape[2] * self.pools[0], post.shape[3] * self.pools[1]
            each = post.repeat_interleave(self.pools[0], 2).repeat_interleave(self.pools[1], 3)
            spread[:, :, :rows, :columns] = each / prod(self.pools)
            return spread
        held = functional.max_pool2d(self._whole(w, pre), self.pools, return_indices=True)[1]
        flat = spread.flatten(2)
        flat.scatter_(2, held.flatten(2), post.flatten(2))
        return flat.reshape(spread.shape)


@dataclass(frozen=True)
class SquareConvolution(Convolution):
    """A convolution whose kernel and stride are as high as they are wide.

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

    @property
    def sides(self) -> Pair:
        return self.kernel, self.kernel

    @property
    def strides(self) -> Pair:
        return self.stride, self.stride

    @property
    def borders(self) -> Pair:
        return self.zeros_around, self.zeros_around

    def post_shape(self, pre: Shape) -> Shape:
        if self.padding == "same" and self.kernel % 2 == 0:
            raise UserError(
                f"a 'same' convolution needs an odd kernel, found {self.kernel}. Use c{self.channels}k{self.kernel}v"
            )
        return super().post_shape(pre)


def _by(sides: Sequence[int]) -> str:
    """Write two sides as "3x3"."""
    return f"{sides[0]}x{sides[1]}"
