"""What every encoder offers: from samples of a data set to the currents or spikes that drive the first layer."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Protocol, runtime_checkable

import numpy as np
import torch

from neurorules.contracts.series import Series


@runtime_checkable
class EventArrays(Protocol):
    """N event recordings in flat arrays, as encoders of events read them.

    Recording i owns the events `offsets[i]` to `offsets[i + 1]`. `neurorules.contracts.data_set.Recordings` is such a
    thing; any object with these attributes serves.
    """

    @property
    def x(self) -> np.ndarray:
        """Column of each event, (E,) unsigned."""
        ...

    @property
    def y(self) -> np.ndarray:
        """Row of each event, (E,) unsigned."""
        ...

    @property
    def polarity(self) -> np.ndarray:
        """0 for an event of falling brightness, 1 for one of rising brightness, (E,) uint8."""
        ...

    @property
    def t_us(self) -> np.ndarray:
        """Time of each event since its recording began, (E,) int32, in microseconds."""
        ...

    @property
    def offsets(self) -> np.ndarray:
        """First event of each recording, and the number of all events: (N + 1,) int64."""
        ...

    @property
    def sensor(self) -> tuple[int, int, int]:
        """Polarities, rows and columns of the sensor: (2, H, W)."""
        ...

    @property
    def checksum(self) -> str:
        """Hex digest of the content, which names what is cached of it."""
        ...

    def __len__(self) -> int:
        """Number of recordings N."""
        ...


@runtime_checkable
class Encoder(Protocol):
    """Turns samples of a data set into what drives the first layer. A frozen dataclass whose fields are its options.

    `accepts` names the kinds of samples it takes: "images", "events" or both. An encoder is fitted once, to training
    samples alone, and comes back from a stored run by its text and its `statistics`.
    """

    accepts: ClassVar[frozenset[str]]

    @property
    def statistics(self) -> Mapping[str, float]:
        """What `fit` measured, as plain numbers by field name; empty where nothing is fitted."""
        ...

    def fit(self, train: Any) -> Encoder:
        """Measure what the encoder needs to know of the training samples.

        Args:
            train: images (N, C, H, W), uint8 or float32 in 0..1, or event recordings (`EventArrays`).

        Returns:
            An encoder that holds these statistics; this one stays as it is.
        """
        ...

    def prepare(self, samples: Any, steps: int, cache: Path | None) -> np.ndarray:
        """Do once what need not be done for every batch, such as binning events into frames.

        Args:
            samples: images (N, C, H, W) or event recordings.
            steps: number of time steps T, >= 1.
            cache: folder for large intermediate arrays, or None to keep them in memory. What is kept there is named
                by the samples' content and every option it depends on.

        Returns:
            An array (N, ...); its rows at sample numbers (B,) are what `encode` takes.
        """
        ...

    def encode(self, batch: torch.Tensor, steps: int, generator: torch.Generator) -> Series:
        """The drive of one batch. The encoder stays as `fit` made it, and no sample sees another.

        Args:
            batch: prepared samples (B, ...), on the device where the network runs.
            steps: number of time steps T, >= 1.
            generator: the only source of random numbers.

        Returns:
            Currents or spikes (T, B, C, H, W), or (B, C, H, W) where they are the same at every step: floating-point,
            finite, and the same bits for equal batches, steps and generators.
        """
        ...
