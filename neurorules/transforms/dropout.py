"""Dropout of neurons for a whole trial: all steps, and all phases that replay the first, have the same mask."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from neurorules.contracts.transform import Shape, Transform, repeat_over_time
from neurorules.language.ranges import BelowOne, ranged


@ranged("dropout")
@dataclass(frozen=True)
class Dropout(Transform):
    """A neuron is silent throughout a trial with probability p. The output of the others is scaled by 1/(1 - p).

    Args:
        p: probability of silence, in [0, 1).

    Raises:
        UserError: p is outside [0, 1).
    """

    p: BelowOne
    by_neuron = True

    def post_shape(self, pre: Shape) -> Shape:
        return pre

    def draw(self, batch: int, pre: Shape, generator: torch.Generator) -> Float[Tensor, "B *pre"]:
        keep = torch.rand((batch, *pre), generator=generator, device=generator.device) >= self.p
        return keep.float() / (1 - self.p)

    def forward(self, rows: Float[Tensor, "R *pre"], mask: Float[Tensor, "B *pre"] | None) -> Float[Tensor, "R *pre"]:
        return rows if mask is None else rows * repeat_over_time(mask, rows)

    def adjoint(
        self, rows: Float[Tensor, "R *pre"], mask: Float[Tensor, "B *pre"] | None, gradient: Float[Tensor, "R *pre"]
    ) -> Float[Tensor, "R *pre"]:
        return self.forward(gradient, mask)
