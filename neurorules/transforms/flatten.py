"""Maps to one flat population."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

from torch import Tensor

from neurorules.contracts.transform import Shape, Transform


@dataclass(frozen=True)
class Flatten(Transform):
    """(R, C, H, W) to (R, C H W)."""

    linear = True
    by_neuron = True

    def post_shape(self, pre: Shape) -> Shape:
        return (prod(pre),)

    def forward(self, rows: Tensor, mask: Tensor | None) -> Tensor:
        return rows.flatten(1)

    def adjoint(self, rows: Tensor, mask: Tensor | None, gradient: Tensor) -> Tensor:
        return gradient.reshape(rows.shape)
