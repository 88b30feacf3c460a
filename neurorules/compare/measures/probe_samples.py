"""The samples for measuring the runs of a comparison: the same for every rule and seed, and never test samples."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from neurorules.contracts.series import Series
from neurorules.torch_path.training.batches import Part, TrainingData

FIT_SAMPLES, MEASURE_SAMPLES, UPDATE_SAMPLES = 512, 256, 128
"""The numbers of samples: of those that a linear probe is fitted to, of those that it is scored on and representations
are compared with, and of those that updates are compared on."""
DRAWS = 5_000_011
"""The seed of the choice of samples, and of an encoder's draws."""
FEWEST = 8
"""Smallest number of held-out samples; if there are fewer, training samples are used for the measurements."""


class Probe(NamedTuple):
    """The samples that a comparison measures with.

    Args:
        train: the part with the samples that a linear probe is fitted to.
        fit_positions: positions of these samples in it.
        part: the part with the samples that everything is measured on.
        measure_positions: positions of these samples in it.
    """

    train: Part
    fit_positions: np.ndarray
    part: Part
    measure_positions: np.ndarray

    def batches(self, part: Part, positions: np.ndarray) -> list[tuple[Series, Tensor]]:
        """Encode samples, with a random generator of the probe.

        Args:
            part: part of the data.
            positions: the positions of the samples in it.

        Returns:
            Batches of at most `MEASURE_SAMPLES` samples: drive (T, B, *input), or constant (B, *input), and labels
            (B,).
        """
        generator = torch.Generator().manual_seed(DRAWS)
        return [
            part.batch(positions[i : i + MEASURE_SAMPLES], generator) for i in range(0, len(positions), MEASURE_SAMPLES)
        ]

    def update_batch(self) -> tuple[Series, Tensor]:
        """The samples on which updates are compared: drive (T, B, *input), or constant (B, *input), and labels (B,)."""
        return self.part.batch(self.measure_positions[:UPDATE_SAMPLES], torch.Generator().manual_seed(DRAWS))


def probe_of(data: TrainingData) -> Probe:
    """The probe of a data set: training samples to fit, held-out ones to measure on, or training samples for both."""
    order = np.random.default_rng(DRAWS).permutation(len(data.train))
    held = data.validation
    if held is not None and len(held) >= FEWEST:
        places = np.random.default_rng(DRAWS).permutation(len(held))[:MEASURE_SAMPLES]
        return Probe(data.train, order[:FIT_SAMPLES], held, places)
    split = min(MEASURE_SAMPLES, len(order) // 2)
    return Probe(data.train, order[split : split + FIT_SAMPLES], data.train, order[:split])
