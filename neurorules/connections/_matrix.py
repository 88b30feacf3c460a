"""A full weight matrix: the arithmetic that dense and recurrent connections share."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from neurorules.connections._multiply import times_transposed
from neurorules.contracts.connection import Connection, Shape, uniform
from neurorules.language.errors import UserError
from neurorules.language.ranges import Count


@dataclass(frozen=True)
class Matrix(Connection):
    """I = W s, W of shape (O, I).

    Args:
        size: number of postsynaptic neurons O, >= 1.
    """

    size: Count

    def post_shape(self, pre: Shape) -> Shape:
        if len(pre) != 1:
            raise UserError(f"a dense connection reads a flat population, found shape {pre}. Flatten it first")
        return (self.size,)

    def fan_in(self, pre: Shape) -> int:
        return pre[0]

    def weight_shape(self, pre: Shape) -> Shape:
        return (self.size, pre[0])

    def initial(self, pre: Shape, generator: torch.Generator, scale: float) -> Tensor:
        return uniform(self.weight_shape(pre), self.fan_in(pre), scale, generator)

    def current(self, w: Tensor, pre: Tensor) -> Tensor:
        return times_transposed(pre, w)

    def correlate(self, w: Tensor, post: Tensor, pre: Tensor) -> Tensor:
        return times_transposed(post.T, pre.T)

    def transpose(self, w: Tensor, post: Tensor, pre: Shape) -> Tensor:
        return times_transposed(post, w.T)
