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
            return self.values if steps == 1 else self.values * steps
        return summed_over_time(self.values) if self.summed is None else self.summed


def summed_over_time(values: Tensor) -> Tensor:
    """Sum over time of (T, B, *shape); where T = 1 a view of it."""
    return values[0] if len(values) == 1 else values.sum(0)


def per_step(total: Tensor, steps: int) -> Tensor:
    """A sum over time as an average; where T = 1 itself."""
    return total if steps == 1 else total / steps
