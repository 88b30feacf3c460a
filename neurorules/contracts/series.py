"""`Series`, a quantity over time. A quantity that is constant in time is stored once and multiplied by weights once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple, cast

import torch
from jaxtyping import Float, Shaped
from torch import Tensor


class Series(NamedTuple):
    """Values at T steps for B rows of a batch, each of a population's shape.

    Args:
        values: (T, B, *shape), or (B, *shape) where the series is constant.
        constant: whether the values are the same at each of the T steps.
        summed: the sum of varying values over time, (B, *shape), if it was known when the series was built; otherwise
            None, and None for constant values.
    """

    values: Shaped[Tensor, "*lead_and_shape"]
    constant: bool
    summed: Shaped[Tensor, "B *shape"] | None = None

    @classmethod
    def of(cls, values: Shaped[Tensor, "*lead_and_shape"], shape: tuple[int, ...]) -> Series:
        """Build a series from values; the number of axes says whether they vary in time.

        Args:
            values: (T, B, *shape) or (B, *shape).
            shape: the shape of the population.

        Returns:
            The series, constant where the values have no time axis.
        """
        return cls(values, values.ndim == len(shape) + 1)

    @property
    def lead(self) -> tuple[int, ...]:
        """Sizes of the axes before those of the population: (T, B), or (B,) where the series is constant."""
        return tuple(self.values.shape[: 1 if self.constant else 2])

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the population, without time and batch."""
        return tuple(self.values.shape[1 if self.constant else 2 :])

    def like(self, values: Shaped[Tensor, "*lead_and_shape"]) -> Series:
        """A series of other values, with a time axis if this series has one."""
        return Series(values, self.constant)

    def rows(self) -> Shaped[Tensor, "R *shape"]:
        """The values as rows, time and batch merged: R = T B, or R = B where the series is constant."""
        return self.values if self.constant else self.values.flatten(0, 1)

    def with_rows(self, rows: Shaped[Tensor, "R *other"]) -> Series:
        """A series of other rows, in the order of `rows()`, with time and batch separated again; *other may be any
        shape.
        """
        return self.like(rows.reshape(*self.lead, *rows.shape[1:]))

    def map_rows(self, function: Callable[[Tensor], Tensor]) -> Series:
        """Apply a function of rows to all steps and rows of the batch at once.

        Args:
            function: maps (R, *shape) to (R, *other), such as the product of a connection.
        """
        return self.with_rows(function(self.rows()))

    def repeated(self, times: int) -> Series:
        """The series with its batch rows repeated several times: (T, times B, *shape), or (times B, *shape) if it is
        constant; `self` for times = 1."""
        batch = 0 if self.constant else 1
        return self if times == 1 else self.like(torch.cat([self.values] * times, batch))

    def flat(self) -> Shaped[Tensor, "*lead N"]:
        """The values with the population's axes merged into one: (T, B, N), or (B, N) where the series is constant."""
        return self.values.reshape(*self.lead, -1)

    def over_time(self, steps: int) -> Shaped[Tensor, "T B *shape"]:
        """The values at each of T = `steps` steps; for a constant series, a view that needs no memory."""
        return self.values.expand(steps, *self.values.shape) if self.constant else self.values

    def window(self, start: int, stop: int) -> Series:
        """The part of the series between two steps.

        Args:
            start: first step, >= 0.
            stop: the step after the last one, > start.

        Returns:
            The values at the steps start <= t < stop; `self` for a constant series.
        """
        return self if self.constant else Series(self.values[start:stop], False)

    def total(self, steps: int) -> Shaped[Tensor, "B *shape"]:
        """Sum of the values over T = `steps` steps."""
        if self.constant:
            return self.values if steps == 1 else self.values * steps
        return summed_over_time(self.values) if self.summed is None else self.summed


class Later:
    """Values over time that are computed when they are first read, and then stored.

    Args:
        shape: their shape, (T, B, *shape).
        compute: computes them; nothing that it reads may change before.
        source: what they are computed from, for a reader that needs no stored values.
    """

    def __init__(self, shape: tuple[int, ...], compute: Callable[[], Tensor], source: Any = None) -> None:
        self.shape, self.source = torch.Size(shape), source
        self._compute: Callable[[], Tensor] = compute
        self._values: Tensor | None = None

    def values(self) -> Tensor:
        """The values, of the shape."""
        if self._values is None:
            self._values = self._compute().reshape(self.shape)
        return self._values

    @property
    def pending(self) -> bool:
        """Whether the values have not been computed yet."""
        return self._values is None


class LaterSeries(Series):
    """A varying series whose values are computed when they are first read. Its first field is a `Later`."""

    @property
    def later(self) -> Later:
        """The values, computed or not."""
        return cast(Later, tuple.__getitem__(self, 0))

    @property
    def values(self) -> Tensor:
        """The values, which the first reader computes."""
        return self.later.values()

    @property
    def lead(self) -> tuple[int, ...]:
        return tuple(self.later.shape[:2])

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(self.later.shape[2:])

    def __iter__(self) -> Iterator[Any]:
        return iter((self.values, self.constant, self.summed))

    def _replace(self, **fields: Any) -> Series:  # type: ignore[override]
        return Series(*self)._replace(**fields)


def series_of(values: Tensor | Later, summed: Tensor | None = None) -> Series:
    """A varying series of values that are there, or of values that are computed when they are first read.

    Args:
        values: (T, B, *shape).
        summed: their sum over time, (B, *shape), if it is known; otherwise None.

    Returns:
        The series.
    """
    if isinstance(values, Later):
        return LaterSeries(values, False, summed)  # type: ignore[arg-type]
    return Series(values, False, summed)


def pending_source(series: Series) -> Any:
    """The source of a series whose values have not been computed yet (`Later.source`); otherwise None."""
    return series.later.source if isinstance(series, LaterSeries) and series.later.pending else None


def summed_over_time(values: Shaped[Tensor, "T B *shape"]) -> Shaped[Tensor, "B *shape"]:
    """Sum of values over time; a view of them where T = 1."""
    return values[0] if len(values) == 1 else values.sum(0)


def per_step(total: Shaped[Tensor, "B *shape"], steps: int) -> Shaped[Tensor, "B *shape"]:
    """Turn a sum over time into an average.

    Args:
        total: sum over the steps, (B, *shape).
        steps: number of steps T, >= 1.

    Returns:
        The average per step, (B, *shape); the sum itself where T = 1.
    """
    return total if steps == 1 else total / steps


def constant_in_time(gradient: Float[Tensor, "B *shape"], steps: int) -> Series:
    """The third factor of a loss on an average over time.

    Args:
        gradient: derivative of the loss with respect to the average, (B, *shape).
        steps: number of steps T, over which the derivative is spread evenly.

    Returns:
        A constant series (B, *shape) whose sum over the steps is the derivative.
    """
    return Series(per_step(gradient, steps), True)


def spread_in_time(gradient: Float[Tensor, "*lead_and_shape"], shape: tuple[int, ...], steps: int) -> Series:
    """The third factor of a loss on an average over time, or of one on each step.

    Args:
        gradient: derivative of the loss with respect to the average, (B, *shape); or by each step, (T, B, *shape).
        shape: the shape of the layer.
        steps: number of steps T.

    Returns:
        A constant series whose sum over the steps is the derivative; or the derivatives as they are.
    """
    return Series(gradient, False) if gradient.ndim > len(shape) + 1 else constant_in_time(gradient, steps)
