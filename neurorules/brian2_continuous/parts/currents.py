"""Samples as currents of one scale, whatever the data set."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from neurorules.brian2_continuous.parts.layers import POWER
from neurorules.torch_path.training.batches import Part

STATISTICS = 5000
"""Training samples that say how far the currents are shifted and scaled."""


@dataclass(frozen=True)
class Currents:
    """Samples as currents of one scale: the training samples' mean taken away, and a mean squared length of `POWER`."""

    part: Part
    mean: np.ndarray
    scale: float

    def __call__(self, positions: np.ndarray) -> np.ndarray:
        return (self.part.currents(positions) - self.mean) * self.scale

    def of(self, part: Part) -> Currents:
        """Other samples, shifted and scaled alike."""
        return Currents(part, self.mean, self.scale)


def currents_of(train: Part) -> Currents:
    """Shift and scale of the first training samples."""
    seen = train.currents(np.arange(min(STATISTICS, len(train))))
    mean = seen.mean(0)
    length = float(np.square(seen - mean).sum(1).mean())
    return Currents(train, mean, float(np.sqrt(POWER / length)) if length else 1.0)
