"""The current of a layer: the synaptic current, and the affine map by which normalisation turns it into a drive.

Where a compiled scan runs the neurons, the scan applies the map; the normalised current is computed only if something
reads it.
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
    """The current I = synaptic - shift of a layer, and the normalised current I^ = (I - mean) * gain.

    Args:
        synaptic: the current that the weights bring, (T, B, *shape) or constant (B, *shape), in units of the threshold.
        shift: the part of it that the running means of the inputs cause, (1, *shape); None for 0.
        mean, gain: the mean and the gain of the normalisation, (N,) or (C, 1, 1); None without normalisation.
    """

    synaptic: Series
    shift: Tensor | None = None
    mean: Tensor | None = None
    gain: Tensor | None = None

    @cached_property
    def shifted(self) -> Series:
        """The current I without the part that the running means of its inputs cause."""
        if self.shift is None:
            return self.synaptic
        return self.synaptic.like(self.synaptic.values - self.shift)

    @cached_property
    def normalised(self) -> Series:
        """The normalised current I^; the current I itself without normalisation."""
        if self.mean is None or self.gain is None:
            return self.shifted
        return self.synaptic.like((self.shifted.values - self.mean) * self.gain)

    def affine(self, shape: Shape, bias: Tensor | None = None) -> scans.Affine:
        """The affine map from the synaptic current to the drive of the neurons, as scans over flat neurons take it.

        Args:
            shape: the shape of the population.
            bias: the current added after the normalisation, (N,) or (C, 1, 1); None for none.

        Returns:
            Shift, mean, gain and bias, (N,) each.
        """
        return scans.Affine(*(flat(part, shape) for part in (self.shift, self.mean, self.gain, bias)))

    def moments(self, steps: int, scan: scans.Scan | None = None) -> tuple[Tensor, Tensor] | None:
        """Means over rows of the current I and of its square, times steps.

        Args:
            steps: T.
            scan: the scan of the same window, which may have summed both over time; None if no scan ran.

        Returns:
            Mean and mean square, (N,) or (C, 1, 1) each, times T; None without normalisation.
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
        shape: the shape of the population.

    Returns:
        One number per flat neuron, (N,); None for None.
    """
    return None if value is None else value.expand(1, *shape).reshape(-1)
