"""Weights as whole numbers times a step: how chips with codes of few bits program, change and show them."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor

from hardware_models.chip import Rounding, rounded
from hardware_models.rounding import nearest
from neurorules.contracts.device_hooks import Codes

ON_GRID = 1e-3
"""Share of a step within which a stored weight is its code, and the rest is rounding of the tensor's type."""


class Grid(NamedTuple):
    """The format of one connection's weights: stored = step * code, and codes saturate.

    Args:
        step: what a code of 1 is worth, > 0.
        lowest, highest: the ends of the codes. Numbers, or tensors that broadcast to the weights, where synapses
            differ.
    """

    step: float
    lowest: int | Tensor
    highest: int | Tensor

    def programmed(self, w: Tensor, rounded: Callable[[Tensor], Tensor] = nearest) -> Tensor:
        """The weights whose codes are nearest.

        Args:
            w: weights at full precision, of any shape.
            rounded: makes whole numbers of weights in steps, float64.

        Returns:
            The stored weights, of the shape and type of `w`.
        """
        return self._worth(self._saturated(rounded(w.double() / self.step)), w)

    def updated(
        self, state: dict[str, Any], w: Tensor, dw: Tensor, rounding: Rounding, most: float = math.inf
    ) -> tuple[Tensor, dict[str, Any]]:
        """Change stored weights by whole steps. A change of 0 leaves a stored weight as it is.

        Args:
            state: state of the chip, with the state of the "generator" of rounding.
            w: stored weights. What lies off the grid, as another device of a chain leaves it, is rounded with the
                change.
            dw: the change that is asked for, of the shape of `w`.
            rounding: stochastic, right on average, or nearest.
            most: steps that one change can take, >= 1.

        Returns:
            The stored weights afterwards, of the shape and type of `w`, and the state with the generator moved on.
        """
        here = w.double() / self.step
        codes = nearest(here)
        rest = torch.where((here - codes).abs() > ON_GRID, here - codes, torch.zeros_like(here))
        steps, state = rounded(state, (dw.double() / self.step + rest).clamp(-most, most), rounding)
        moved = self._saturated(codes + steps)
        return torch.where((moved == codes) & (rest == 0), w, self._worth(moved, w)), state

    def codes(self, w: Tensor) -> Codes:
        """Stored weights in the chip's format.

        Args:
            w: stored weights.

        Returns:
            Their codes, and the ends that no synapse passes.
        """
        low, high = (torch.as_tensor(end) for end in (self.lowest, self.highest))
        whole = nearest(w.double() / self.step).to(torch.int64)
        return Codes(whole, self.step, int(low.min()), int(high.max()))

    def _saturated(self, codes: Tensor) -> Tensor:
        low, high = (torch.as_tensor(end).to(codes) for end in (self.lowest, self.highest))
        return torch.minimum(torch.maximum(codes, low), high)

    def _worth(self, codes: Tensor, like: Tensor) -> Tensor:
        """Codes as weights of a type, which never round to more than the highest code is worth."""
        exact = codes * self.step
        w = exact.to(like.dtype)
        beyond = (w.double() - exact).abs() > self.step * ON_GRID
        outside = beyond & (w.double() / self.step > torch.as_tensor(self.highest).to(exact))
        return torch.where(outside, torch.nextafter(w, torch.zeros_like(w)), w)
