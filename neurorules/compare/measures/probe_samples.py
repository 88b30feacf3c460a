"""The samples for measuring the runs of a comparison: the same for every rule and seed, and never test samples."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from neurorules.contracts.series import Series
from neurorules.torch_path.training.batches import Part, TrainingData

FITTED, SEEN, ALIGNED = 512, 256, 128
"""Numbers of samples: a linear probe is fitted to the first, and scored on the second, by which representations are
compared too; updates are compared on the third."""
DRAWS = 5_000_011
"""Seed of the choice of samples, and of an encoder's draws."""
FEWEST = 8
"""Fewest held-out samples that are measured with; where there are fewer, training samples take their place."""


class Probe(NamedTuple):
    """The samples that a comparison measures with.

    Args:
        train: the part with the samples that a linear probe is fitted to.
        fitted: positions of these samples in it.
        part: the part with the samples that everything is measured on.
        seen: positions of these samples in it.
    """

    train: Part
    fitted: np.ndarray
    part: Part
    seen: np.ndarray

    def batches(self, part: Part, positions: np.ndarray) -> list[tuple[Series, Tensor]]:
        """Encode samples, with draws that belong to the probe alone.

        Args:
            part: part of the data.
            positions: the positions of the samples in it.

        Returns:
            Batches of at most `SEEN` samples: drive (T, B, *input), or constant (B, *input), and labels (B,).
        """
        generator = torch.Generator().manual_seed(DRAWS)
        return [part.batch(positions[i : i + SEEN], generator) for i in range(0, len(positions), SEEN)]

    def update_batch(self) -> tuple[Series, Tensor]:
        """The samples on which updates are compared: drive (T, B, *input), or constant (B, *input), and labels (B,)."""
        return self.part.batch(self.seen[:ALIGNED], torch.Generator().manual_seed(DRAWS))


def probe_of(data: TrainingData) -> Probe:
    """The probe of a data set: training samples to fit, held-out ones to measure on, or training samples for both."""
    order = np.random.default_rng(DRAWS).permutation(len(data.train))
    held = data.validation
    if held is not None and len(held) >= FEWEST:
        places = np.random.default_rng(DRAWS).permutation(len(held))[:SEEN]
        return Probe(data.train, order[:FITTED], held, places)
    split = min(SEEN, len(order) // 2)
    return Probe(data.train, order[split : split + FITTED], data.train, order[:split])
