"""Pooling of maps by the maximum or the average of square windows."""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce
from typing import Annotated, Literal

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from neurorules.contracts.transform import Shape, Transform
from neurorules.language.errors import UserError
from neurorules.language.ranges import LARGEST, Range, ranged


@ranged("pooling")
@dataclass(frozen=True)
class Pool(Transform):
    """Pooling of non-overlapping windows of side `size`. Rows and columns that do not fill a window are ignored.

    Args:
        size: side of the square window, >= 2.
        kind: "max" or "average".
    """

    size: Annotated[int, Range(f"[2, {LARGEST}]")]
    kind: Literal["max", "average"]

    @property
    def linear(self) -> bool:  # type: ignore[override]
        """Whether pooling is one linear map, as an average is. The position of a maximum differs between rows."""
        return self.kind == "average"

    def post_shape(self, pre: Shape) -> Shape:
        if len(pre) != 3 or min(pre[1:]) < self.size:
            raise UserError(f"pooling by {self.size} needs maps of at least {self.size}x{self.size}, found shape {pre}")
        return (pre[0], pre[1] // self.size, pre[2] // self.size)

    def forward(
        self, rows: Float[Tensor, "R C H W"], mask: Float[Tensor, "B *pre"] | None
    ) -> Float[Tensor, "R C H_post W_post"]:
        return self._largest(rows) if self.kind == "max" else functional.avg_pool2d(rows, self.size)

    def tangent(
        self, rows: Float[Tensor, "R C H W"], mask: Float[Tensor, "B *pre"] | None, change: Float[Tensor, "R C H W"]
    ) -> Float[Tensor, "R C H_post W_post"]:
        if self.kind == "average":
            return self.forward(change, mask)
        _, winners = functional.max_pool2d(rows, self.size, return_indices=True)
        return change.flatten(2).gather(2, winners.flatten(2)).reshape(winners.shape)

    def adjoint(
        self, rows: Float[Tensor, "R C H W"], mask: Float[Tensor, "B *pre"] | None,
        gradient: Float[Tensor, "R C H_post W_post"],
    ) -> Float[Tensor, "R C H W"]:  # fmt: skip
        if self.kind == "average":
            spread = functional.interpolate(gradient, scale_factor=float(self.size), mode="nearest")
            missing = [rows.shape[d] - spread.shape[d] for d in (3, 2)]
            return functional.pad(spread, (0, missing[0], 0, missing[1])) / self.size**2
        _, winners = functional.max_pool2d(rows, self.size, return_indices=True)
        return functional.max_unpool2d(gradient, winners, [self.size] * 2, output_size=rows.shape[-2:])

    def _largest(self, rows: Float[Tensor, "R C H W"]) -> Float[Tensor, "R C H_post W_post"]:
        """The maximum over the rows of a window and then over its columns, which is four times as fast as max_pool2d on
        CPUs."""
        return reduce(torch.maximum, self._parts(reduce(torch.maximum, self._parts(rows, 2)), 3))

    def _parts(self, rows: Tensor, dim: int) -> tuple[Tensor, ...]:
        """Views of the first, the second, ... row (dim = 2) or column (dim = 3) of every window."""
        cells = rows.shape[dim] // self.size
        return rows.narrow(dim, 0, cells * self.size).unfold(dim, self.size, self.size).unbind(-1)
