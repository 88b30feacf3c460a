"""One synapse from each neuron of a population to itself, one step late."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

import torch
from jaxtyping import Float
from torch import Tensor

from neurorules.contracts.connection import Connection, Shape, uniform
from neurorules.language.errors import UserError
from neurorules.language.ranges import Count, ranged


@ranged("connection 'recurrent_single'")
@dataclass(frozen=True)
class RecurrentSingle(Connection):
    """I[t] = w s[t-1], one weight in (N,) for each neuron: each reads itself alone.

    Args:
        size: number of neurons N of a flat population, or of maps C, >= 1.
    """

    size: Count
    recurrent = True

    def post_shape(self, pre: Shape) -> Shape:
        if pre[0] != self.size:
            raise UserError(
                f"the connection is one of {self.size} neurons or maps to themselves, and the population has shape "
                f"{pre}. Give it as many"
            )
        return pre

    def fan_in(self, pre: Shape) -> int:
        return 1

    def weight_shape(self, pre: Shape) -> Shape:
        return (prod(pre),)

    def initial(self, pre: Shape, generator: torch.Generator, scale: float) -> Float[Tensor, " N"]:
        return uniform(self.weight_shape(pre), 1, scale, generator)

    def current(self, w: Float[Tensor, " N"], pre: Float[Tensor, "R *pre"]) -> Float[Tensor, "R *pre"]:
        return w.reshape(pre.shape[1:]) * pre

    def correlate(
        self, w: Float[Tensor, " N"], post: Float[Tensor, "R *pre"], pre: Float[Tensor, "R *pre"]
    ) -> Float[Tensor, " N"]:
        return (post * pre).sum(0).reshape(-1)

    def transpose(self, w: Float[Tensor, " N"], post: Float[Tensor, "R *pre"], pre: Shape) -> Float[Tensor, "R *pre"]:
        return w.reshape(post.shape[1:]) * post


ENTRY = RecurrentSingle
