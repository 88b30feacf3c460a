"""A quantity over time, or one that is the same at each step and then kept, and multiplied, once."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from jaxtyping import Shaped
from torch import Tensor


class Series(NamedTuple):
    """Values at T steps for B rows of a batch, each of a population's shape.

    Args:
        values: (T, B, *shape), or (B, *shape) where the series is constant.
        constant: whether the values are the same at each of the T steps.
        summed: sum over time, (B, *shape), where whoever made the series has it; of values that vary.
    """

    values: Shaped[Tensor, "*lead_and_shape"]
    constant: bool
    summed: Shaped[Tensor, B * shape] | None = None

    @classmethod
    def of(cls, values: Shaped[Tensor, "*lead_and_shape"], shape: tuple[int, ...]) -> Series:
        """The series that values are, of which only their shape tells whether they vary in time.

        Args:
            values: (T, B, *shape) or (B, *shape).
            shape: of the population.
        """
        return cls(values, values.ndim == len(shape) + 1)

    @property
    def lead(self) -> tuple[int, ...]:
        """The axes before the population's: (T, B), or (B,) where constant."""
        return tuple(self.values.shape[: 1 if self.constant else 2])

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the population."""
        return tuple(self.values.shape[1 if self.constant else 2 :])

    def like(self, values: Shaped[Tensor, "*lead_and_shape"]) -> Series:
        """Other values that vary in time, or do not, as these do."""
        return Series(values, self.constant)

    def rows(self) -> Shaped[Tensor, R * shape]:
        """Time and batch merged: R = T B rows, or R = B where constant."""
        return self.values if self.constant else self.values.flatten(0, 1)

    def with_rows(self, rows: Shaped[Tensor, R * other]) -> Series:
        """Rows as `rows` gives them, time and batch apart again; their shape may be another."""
        return self.like(rows.reshape(*self.lead, *rows.shape[1:]))

    def map_rows(self, function: Callable[[Tensor], Tensor]) -> Series:
        """A function of rows, applied to time and batch at once.

        Args:
            function: of (R, *shape), such as a connection's product; it gives (R, *other).
        """
        return self.with_rows(function(self.rows()))

    def flat(self) -> Shaped[Tensor, "*lead N"]:
        """The values with the population's axes merged into one: (T, B, N), or (B, N) where constant."""
        return self.values.reshape(*self.lead, -1)

    def over_time(self, steps: int) -> Shaped[Tensor, "T B *shape"]:
        """(T, B, *shape) in either case, T = `steps`; of a constant series it is a view."""
        return self.values.expand(steps, *self.values.shape) if self.constant else self.values

    def window(self, start: int, stop: int) -> Series:
        """The steps start <= t < stop."""
        return self if self.constant else Series(self.values[start:stop], False)

    def total(self, steps: int) -> Shaped[Tensor, B * shape]:
        """Sum over T = `steps` steps."""
        if self.constant:
            return self.values if steps == 1 else self.values * steps
        return summed_over_time(self.values) if self.summed is None else self.summed


def summed_over_time(values: Shaped[Tensor, "T B *shape"]) -> Shaped[Tensor, B * shape]:
    """Sum over time; where T = 1 a view of the values."""
    return values[0] if len(values) == 1 else values.sum(0)


def per_step(total: Shaped[Tensor, B * shape], steps: int) -> Shaped[Tensor, B * shape]:
    """A sum over T = `steps` steps as an average; where T = 1 itself."""
    return total if steps == 1 else total / steps
