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
    """The current I = weights' current - shift of a layer, and the normalised current I^ = (I - mean) * gain.

    Args:
        synaptic: what the weights bring, (T, B, *shape) or constant (B, *shape), in thresholds.
        shift: what the running means of the inputs would bring, (1, *shape); None for 0.
        mean, gain: of the normalisation, (N,) or (C, 1, 1); None where nothing normalises.
    """

    synaptic: Series
    shift: Tensor | None = None
    mean: Tensor | None = None
    gain: Tensor | None = None

    @cached_property
    def shifted(self) -> Series:
        """The current I with the running means of its inputs taken away."""
        if self.shift is None:
            return self.synaptic
        return self.synaptic.like(self.synaptic.values - self.shift)

    @cached_property
    def normalised(self) -> Series:
        """The normalised current I^; the current I itself where nothing normalises."""
        if self.mean is None or self.gain is None:
            return self.shifted
        return self.synaptic.like((self.shifted.values - self.mean) * self.gain)

    def affine(self, shape: Shape, bias: Tensor | None = None) -> scans.Affine:
        """The map from what the weights bring to what drives the neurons, for scans over flat neurons.

        Args:
            shape: of the population.
            bias: added behind the normalisation, (N,) or (C, 1, 1); None for none.

        Returns:
            Shift, mean, gain and bias, (N,) each.
        """
        return scans.Affine(*(flat(part, shape) for part in (self.shift, self.mean, self.gain, bias)))

    def moments(self, steps: int, scan: scans.Scan | None = None) -> tuple[Tensor, Tensor] | None:
        """Means over rows of the current I and of its square, times steps.

        Args:
            steps: T.
            scan: of the same window, which may have summed both over time; None where none ran.

        Returns:
            Mean and mean square, (N,) or (C, 1, 1) each, times T; None where nothing normalises.
        """
        if self.gain is None:
            return None
        shape = self.synaptic.shape
        if scan is not None and scan.current_sum is not None and scan.square_sum is not None:
            return over_rows(scan.current_sum.reshape(-1, *shape)), over_rows(scan.square_sum.reshape(-1, *shape))
        rows = self.shifted.rows()
        return over_rows(rows) * steps, over_rows(rows.square()) * steps


def flat(value: Tensor | None, shape: Shape) -> Tensor | None:
    """Spread numbers of a population over its neurons.

    Args:
        value: one number per neuron, (*shape), or one per map, (C, 1, 1); None is passed on.
        shape: of the population.

    Returns:
        One number per flat neuron, (N,); None for None.
    """
    return None if value is None else value.expand(1, *shape).reshape(-1)
