"""A full weight matrix: the arithmetic that dense and recurrent connections share."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from neurorules.connections._products import correlated, times_transposed, times_weights
from neurorules.contracts.connection import Connection, Shape, uniform
from neurorules.language.errors import UserError
from neurorules.language.ranges import Count


@dataclass(frozen=True)
class Matrix(Connection):
    """I = W s, W of shape (O, I): every presynaptic neuron reaches every postsynaptic one.

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

    def initial(self, pre: Shape, generator: torch.Generator, scale: float) -> Float[Tensor, "O I"]:
        return uniform(self.weight_shape(pre), self.fan_in(pre), scale, generator)

    def current(self, w: Float[Tensor, "O I"], pre: Float[Tensor, "R I"]) -> Float[Tensor, "R O"]:
        return times_weights(pre, w)

    def correlate(
        self, w: Float[Tensor, "O I"], post: Float[Tensor, "R O"], pre: Float[Tensor, "R I"]
    ) -> Float[Tensor, "O I"]:
        return correlated(post, pre)

    def transpose(self, w: Float[Tensor, "O I"], post: Float[Tensor, "R O"], pre: Shape) -> Float[Tensor, "R I"]:
        return times_transposed(post, w.T)
