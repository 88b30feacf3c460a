"""Flattening: the neurons of all maps become one flat population."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

from jaxtyping import Float
from torch import Tensor

from neurorules.contracts.transform import Shape, Transform


@dataclass(frozen=True)
class Flatten(Transform):
    """Rows (R, C, H, W) become (R, N) with N = C H W; neuron n of the flat population is neuron n in row-major
    order."""

    linear = True
    by_neuron = True

    def post_shape(self, pre: Shape) -> Shape:
        return (prod(pre),)

    def forward(self, rows: Float[Tensor, "R *pre"], mask: Float[Tensor, "B *pre"] | None) -> Float[Tensor, "R N"]:
        return rows.flatten(1)

    def adjoint(
        self, rows: Float[Tensor, "R *pre"], mask: Float[Tensor, "B *pre"] | None, gradient: Float[Tensor, "R N"]
    ) -> Float[Tensor, "R *pre"]:
        return gradient.reshape(rows.shape)
