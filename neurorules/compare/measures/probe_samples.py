"""The samples a comparison's runs are looked at with: the same for every rule and seed, none of the test set."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from neurorules.contracts.series import Series
from neurorules.torch_path.training.batches import Part, TrainingData

FITTED, SEEN, ALIGNED = 512, 256, 128
"""Samples that a linear probe is fitted to; that it is scored on, and representations compared by; of one update."""
DRAWS = 5_000_011
"""Seed of the choice, and of an encoder's draws."""
FEWEST = 8
"""Held-out samples that are worth a look; with fewer, training samples are taken instead."""


class Probe(NamedTuple):
    """Positions in the training part to fit, and in a part to look at."""

    train: Part
    fitted: np.ndarray
    part: Part
    seen: np.ndarray

    def batches(self, part: Part, positions: np.ndarray) -> list[tuple[Series, Tensor]]:
        """Those samples, encoded by draws of their own, at most `SEEN` at a time."""
        generator = torch.Generator().manual_seed(DRAWS)
        return [part.batch(positions[i : i + SEEN], generator) for i in range(0, len(positions), SEEN)]

    def update_batch(self) -> tuple[Series, Tensor]:
        """The samples whose update is compared."""
        return self.part.batch(self.seen[:ALIGNED], torch.Generator().manual_seed(DRAWS))


def probe_of(data: TrainingData) -> Probe:
    """The probe of a data set: training samples to fit, held-out ones to look at, or training samples for both."""
    order = np.random.default_rng(DRAWS).permutation(len(data.train))
    held = data.validation
    if held is not None and len(held) >= FEWEST:
        seen = np.random.default_rng(DRAWS).permutation(len(held))[:SEEN]
        return Probe(data.train, order[:FITTED], held, seen)
    split = min(SEEN, len(order) // 2)
    return Probe(data.train, order[split : split + FITTED], data.train, order[:split])
