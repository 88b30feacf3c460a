"""Dropout of whole neurons for a whole trial: the same mask at each step and in each replayed phase."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from neurorules.contracts.transform import Shape, Transform, repeat_over_time
from neurorules.language.ranges import BelowOne, ranged


@ranged("dropout")
@dataclass(frozen=True)
class Dropout(Transform):
    """A neuron is silent for a trial with probability p; the others are scaled by 1/(1-p).

    Args:
        p: in [0, 1).

    Raises:
        UserError: p outside [0, 1).
    """

    p: BelowOne
    by_neuron = True

    def post_shape(self, pre: Shape) -> Shape:
        return pre

    def draw(self, batch: int, pre: Shape, generator: torch.Generator) -> Tensor:
        keep = torch.rand((batch, *pre), generator=generator, device=generator.device) >= self.p
        return keep.float() / (1 - self.p)

    def forward(self, rows: Tensor, mask: Tensor | None) -> Tensor:
        return rows if mask is None else rows * repeat_over_time(mask, rows)

    def adjoint(self, rows: Tensor, mask: Tensor | None, gradient: Tensor) -> Tensor:
        return self.forward(gradient, mask)
