"""Convert the samples of any data set to currents of the same mean squared length."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from neurorules.brian2_continuous.parts.layers import POWER
from neurorules.torch_path.training.batches import Part

STATISTICS = 5000
"""Largest number of training samples from which the shift and the scale of currents are computed."""


@dataclass(frozen=True)
class Currents:
    """Samples as currents, shifted and scaled so that training samples have mean 0 and mean squared length `POWER`.

    Args:
        part: the samples.
        mean: the mean that is subtracted, (I,).
        scale: factor of the result, > 0.
    """

    part: Part
    mean: np.ndarray
    scale: float

    def __call__(self, positions: np.ndarray) -> np.ndarray:
        return (self.part.currents(positions) - self.mean) * self.scale

    def of(self, part: Part) -> Currents:
        """Shift and scale other samples by the same numbers."""
        return Currents(part, self.mean, self.scale)


def currents_of(train: Part) -> Currents:
    """Compute shift and scale from the first training samples, at most `STATISTICS` of them."""
    currents = train.currents(np.arange(min(STATISTICS, len(train))))
    mean = currents.mean(0)
    length = float(np.square(currents - mean).sum(1).mean())
    return Currents(train, mean, float(np.sqrt(POWER / length)) if length else 1.0)
