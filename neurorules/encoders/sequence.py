"""Samples with time steps of their own: each step of a sample drives one step of the network directly."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from jaxtyping import Shaped

from neurorules.contracts.rows import Rows
from neurorules.contracts.series import Series
from neurorules.encoders._shared import with_statistics
from neurorules.language.errors import UserError
from neurorules.language.ranges import ranged

CHUNK_SAMPLES = 64  # samples per chunk in sums of statistics, to save memory


@ranged("encoder 'sequence'")
@dataclass(frozen=True)
class Sequence:
    """Spikes, counts or currents over time, exactly as in the samples: uint8 and float32 values are not scaled.

    Args:
        standardise: whether to subtract the mean over all training values and divide by their standard deviation, for
            currents in arbitrary units.
    """

    standardise: bool = False
    statistics: Mapping[str, float] = field(default_factory=dict, init=False, hash=False)
    accepts: ClassVar[frozenset[str]] = frozenset({"sequences"})

    def fit(self, train: Any) -> Sequence:
        """Measure `mean` and `deviation` of the training sequences, if `standardise` is true.

        Raises:
            UserError: the samples are not sequences, or all values are equal and `standardise` is true.
        """
        samples = _as_sequences(train)
        if not self.standardise:
            return with_statistics(self, {})
        count = math.prod(samples.shape)
        mean = math.fsum(float(part.sum()) for part in _chunks(samples)) / count
        deviation = math.sqrt(math.fsum(float(((part - mean) ** 2).sum()) for part in _chunks(samples)) / count)
        if not deviation > 0.0:
            raise UserError(
                f"encoder 'sequence': all training values are {mean:g}, which cannot be standardised. Check the data, "
                "or write --encode sequence"
            )
        return with_statistics(self, {"mean": mean, "deviation": deviation})

    def prepare(self, samples: Any, steps: int, cache: Path | None = None) -> Any:
        """Check the samples; nothing has to be prepared.

        Args:
            samples: sequences (N, T, C, H, W).
            steps: number of time steps T.
            cache: not used.

        Returns:
            The samples themselves.

        Raises:
            UserError: the samples are not sequences, or have another number of steps.
        """
        return _of_length(_as_sequences(samples), steps)

    def encode(self, batch: Shaped[torch.Tensor, "B T C H W"], steps: int, generator: torch.Generator) -> Series:
        """Move the time axis to the front.

        Args:
            batch: samples (B, T, C, H, W).
            steps: number of time steps T.
            generator: not used, because nothing is random.

        Returns:
            (T, B, C, H, W) float32.

        Raises:
            UserError: the samples have another number of steps, or the encoder was not fitted.
        """
        values = _of_length(batch, steps).transpose(0, 1).to(torch.float32).contiguous()
        if self.standardise:
            if not self.statistics:
                raise UserError("encoder 'sequence' has no mean and deviation yet. Call fit(training_samples) first")
            values = (values - self.statistics["mean"]) / self.statistics["deviation"]
        return Series(values, constant=False)


def _chunks(samples: Any) -> Iterator[np.ndarray]:
    for start in range(0, len(samples), CHUNK_SAMPLES):
        yield samples[start : start + CHUNK_SAMPLES].astype(np.float64)


def _as_sequences(samples: Any) -> Any:
    if not isinstance(samples, np.ndarray | Rows) or samples.ndim != 5:
        raise UserError(
            "encoder 'sequence' takes samples with a time axis, (N, T, C, H, W), and these have none. Write "
            "--encode constant"
        )
    return samples


def _of_length(samples: Any, steps: int) -> Any:
    if samples.shape[1] != steps:
        raise UserError(
            f"encoder 'sequence': the samples have {samples.shape[1]} steps, and {steps} were asked for. "
            "Leave --steps out"
        )
    return samples


ENTRY = Sequence
