"""A quantity over time, or one that is the same at each step and then kept, and multiplied, once."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor


class Series(NamedTuple):
    """Values (T, B, *shape), or (B, *shape) where `constant`: the same at each of the T steps.

    summed: their sum over time (B, *shape), where whoever made them has it; of values that vary.
    """

    values: Tensor
    constant: bool
    summed: Tensor | None = None

    def rows(self) -> Tensor:
        """Time and batch merged: (T B, *shape), or (B, *shape) where constant."""
        return self.values if self.constant else self.values.flatten(0, 1)

    def over_time(self, steps: int) -> Tensor:
        """(T, B, *shape) in either case; a constant one is a view."""
        return self.values.expand(steps, *self.values.shape) if self.constant else self.values

    def window(self, start: int, stop: int) -> Series:
        """The steps start <= t < stop."""
        return self if self.constant else Series(self.values[start:stop], False)

    def total(self, steps: int) -> Tensor:
        """Sum over time, (B, *shape)."""
        if self.constant:
            return self.values * steps
        return self.values.sum(0) if self.summed is None else self.summed
