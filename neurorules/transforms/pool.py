"""Pooling of maps by the maximum or the average of windows, square ones or parts of lines."""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce
from math import prod
from typing import Annotated, Literal

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from neurorules.connections._products import is_recorded
from neurorules.contracts.transform import Shape, Transform
from neurorules.language.errors import UserError
from neurorules.language.ranges import LARGEST, Range, ranged
from neurorules.native import pools


@ranged("pooling")
@dataclass(frozen=True)
class Pool(Transform):
    """Pooling of non-overlapping windows of side `size`. Rows and columns that do not fill a window are ignored.

    Args:
        size: side of the square window, >= 2.
        kind: "max" or "average".
        lines: whether a window covers `size` values of one row, which pools one-dimensional maps (of height 1).
    """

    size: Annotated[int, Range(f"[2, {LARGEST}]")]
    kind: Literal["max", "average"]
    lines: bool = False

    @property
    def sides(self) -> tuple[int, int]:
        """Height and width of a window."""
        return 1 if self.lines else self.size, self.size

    @property
    def linear(self) -> bool:  # type: ignore[override]
        """Whether pooling is one linear map, as an average is. The position of a maximum differs between rows."""
        return self.kind == "average"

    def post_shape(self, pre: Shape) -> Shape:
        high, wide = self.sides
        if len(pre) != 3 or pre[1] < high or pre[2] < wide:
            raise UserError(
                f"pooling by {self.size} needs maps of at least {high}x{wide} and gets shape {pre}. Pool less"
            )
        return (pre[0], pre[1] // high, pre[2] // wide)

    def forward(
        self, rows: Float[Tensor, "R C H W"], mask: Float[Tensor, "B *pre"] | None
    ) -> Float[Tensor, "R C H_post W_post"]:
        return self._largest(rows) if self.kind == "max" else functional.avg_pool2d(rows, self.sides)

    def tangent(
        self, rows: Float[Tensor, "R C H W"], mask: Float[Tensor, "B *pre"] | None, change: Float[Tensor, "R C H W"]
    ) -> Float[Tensor, "R C H_post W_post"]:
        if self.kind == "average":
            return self.forward(change, mask)
        _, winners = functional.max_pool2d(rows, self.sides, return_indices=True)
        return change.flatten(2).gather(2, winners.flatten(2)).reshape(winners.shape)

    def adjoint(
        self, rows: Float[Tensor, "R C H W"], mask: Float[Tensor, "B *pre"] | None,
        gradient: Float[Tensor, "R C H_post W_post"],
    ) -> Float[Tensor, "R C H W"]:  # fmt: skip
        if self.kind == "average":
            scale = (float(self.sides[0]), float(self.sides[1]))
            spread = functional.interpolate(gradient, scale_factor=scale, mode="nearest")
            missing = [rows.shape[d] - spread.shape[d] for d in (3, 2)]
            return functional.pad(spread, (0, missing[0], 0, missing[1])) / prod(self.sides)
        if pools.serves(rows, gradient, self.sides) and not is_recorded(rows, gradient):
            return pools.back(rows, gradient)
        _, winners = functional.max_pool2d(rows, self.sides, return_indices=True)
        return functional.max_unpool2d(gradient, winners, list(self.sides), output_size=rows.shape[-2:])

    def _largest(self, rows: Float[Tensor, "R C H W"]) -> Float[Tensor, "R C H_post W_post"]:
        """The maximum over the rows of a window and then over its columns, which is four times as fast as max_pool2d on
        CPUs."""
        return reduce(torch.maximum, self._parts(reduce(torch.maximum, self._parts(rows, 2)), 3))

    def _parts(self, rows: Tensor, dim: int) -> tuple[Tensor, ...]:
        """Views of the first, the second, ... row (dim = 2) or column (dim = 3) of every window."""
        side = self.sides[dim - 2]
        cells = rows.shape[dim] // side
        return rows.narrow(dim, 0, cells * side).unfold(dim, side, side).unbind(-1)
