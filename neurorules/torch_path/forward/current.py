"""The current of a layer: what its weights bring, and the affine map that normalisation makes of it.

The map is applied inside the neuron's scan where one runs; the normalised current is made only where it is asked for.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from torch import Tensor

from neurorules.contracts.connection import Shape
from neurorules.contracts.normalisation import over_rows
from neurorules.contracts.series import Series
from neurorules.native import scans


@dataclass(frozen=True)
class Current:
    """I = weights' current - shift, and I^ = (I - mean) * gain.

    Args:
        brought: what the weights bring, (T, B, *shape) or constant (B, *shape).
        shift: what the running means of the inputs would bring, (1, *shape); None for 0.
        mean, gain: of the normalisation, (N,) or (C, 1, 1); None where nothing normalises.
    """

    brought: Series
    shift: Tensor | None = None
    mean: Tensor | None = None
    gain: Tensor | None = None

    @cached_property
    def shifted(self) -> Series:
        """I."""
        if self.shift is None:
            return self.brought
        return self.brought.like(self.brought.values - self.shift)

    @cached_property
    def normalised(self) -> Series:
        """I^; I where nothing normalises."""
        if self.mean is None or self.gain is None:
            return self.shifted
        return self.brought.like((self.shifted.values - self.mean) * self.gain)

    def affine(self, shape: Shape, bias: Tensor | None = None) -> scans.Affine:
        """The same map, and a bias behind it, for scans over flat neurons."""
        return scans.Affine(*(flat(part, shape) for part in (self.shift, self.mean, self.gain, bias)))

    def moments(self, steps: int, found: scans.Scan | None = None) -> tuple[Tensor, Tensor] | None:
        """Means over rows of I and of its square, times steps; None where nothing normalises.

        Args:
            steps: T.
            found: a scan that has summed both over time.
        """
        if self.gain is None:
            return None
        shape = self.brought.shape
        if found is not None and found.current_sum is not None and found.square_sum is not None:
            return over_rows(found.current_sum.reshape(-1, *shape)), over_rows(found.square_sum.reshape(-1, *shape))
        rows = self.shifted.rows()
        return over_rows(rows) * steps, over_rows(rows.square()) * steps


def flat(value: Tensor | None, shape: Shape) -> Tensor | None:
    """Numbers of a population, one a neuron or one a map, as one a flat neuron (N,)."""
    return None if value is None else value.expand(1, *shape).reshape(-1)
