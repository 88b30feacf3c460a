"""What every transform offers: a forward map of rows, and its adjoint for signals that come from above."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable

import torch
from torch import Tensor

Shape = tuple[int, ...]
Adjoint = Callable[[Tensor], Tensor]


class Transform(ABC):
    """Rows (R, *pre) to rows (R, *post). A mask, where there is one, is drawn once a trial."""

    linear: bool = False
    """Whether it is one linear map, the same for every row."""
    by_neuron: bool = False
    """Whether each neuron's output stays its own: scaled, or at another place, and never joined with others'."""

    @abstractmethod
    def post_shape(self, pre: Shape) -> Shape:
        """Shape after the transform.

        Raises:
            UserError: it does not fit.
        """

    def draw(self, batch: int, pre: Shape, generator: torch.Generator) -> Tensor | None:
        """What is random about one training trial, (batch, *pre); None where nothing is."""
        return None

    @abstractmethod
    def forward(self, rows: Tensor, mask: Tensor | None) -> Tensor:
        """Apply to (R, *pre), R = time x batch; `mask` as drawn for this trial, None outside training."""

    def tangent(self, rows: Tensor, mask: Tensor | None, change: Tensor) -> Tensor:
        """What a small `change` (R, *pre) of the rows that go forward becomes, (R, *post)."""
        return self.forward(change, mask)

    @abstractmethod
    def adjoint(self, rows: Tensor, mask: Tensor | None, gradient: Tensor) -> Tensor:
        """Carry `gradient` (R, *post) back to (R, *pre), for the rows that went forward."""


def repeat_over_time(mask: Tensor, rows: Tensor) -> Tensor:
    """A (batch, ...) mask for rows of time x batch."""
    return mask.repeat(rows.shape[0] // mask.shape[0], *(1,) * (mask.ndim - 1))
