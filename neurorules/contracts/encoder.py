"""The contract of encoders, which turn samples of a data set into currents or spikes for the first layer."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Shaped

from neurorules.contracts.series import Series


@runtime_checkable
class EventArrays(Protocol):
    """N event recordings in flat arrays, in the form that encoders of events read.

    Recording i owns the events `offsets[i]` up to, not including, `offsets[i + 1]`. Any object with these attributes
    works; the library's own class is `neurorules.contracts.data_set.Recordings`.
    """

    @property
    def x(self) -> Shaped[np.ndarray, "E"]:
        """Column of each event, (E,) unsigned."""
        ...

    @property
    def y(self) -> Shaped[np.ndarray, "E"]:
        """Row of each event, (E,) unsigned."""
        ...

    @property
    def polarity(self) -> Shaped[np.ndarray, "E"]:
        """0 for an event of falling brightness, 1 for one of rising brightness, (E,) uint8."""
        ...

    @property
    def t_us(self) -> Shaped[np.ndarray, "E"]:
        """Time of each event since its recording began, (E,) int32, microseconds."""
        ...

    @property
    def offsets(self) -> Shaped[np.ndarray, "N_plus_1"]:
        """Index of the first event of each recording, followed by the number of all events: (N + 1,) int64."""
        ...

    @property
    def sensor(self) -> tuple[int, int, int]:
        """Polarities, rows and columns of the sensor: (P, H, W)."""
        ...

    @property
    def checksum(self) -> str:
        """Hex digest of the content; prepared samples are cached under it."""
        ...

    def __len__(self) -> int:
        """The number of recordings N."""
        ...


@runtime_checkable
class Encoder(Protocol):
    """Turns samples of a data set into the drive of the first layer. A frozen dataclass whose fields are its options.

    An encoder is fitted once, to training samples only. A stored run holds the encoder's name with options and its
    `statistics`, from which the encoder is built again.
    """

    accepts: ClassVar[frozenset[str]]
    """The kinds of samples that the encoder accepts: "images", "events" or "sequences"."""

    @property
    def statistics(self) -> Mapping[str, float]:
        """The statistics that `fit` measured, by the name of the field that holds them; empty for an encoder without
        any.
        """
        ...

    def fit(self, train: Any) -> Encoder:
        """Measure the statistics of the training samples that the encoder uses, such as their mean.

        Args:
            train: images (N, C, H, W), uint8 or float32 in 0..1; sequences (N, T, C, H, W), uint8 or float32; or event
                recordings (`EventArrays`).

        Returns:
            A new encoder that holds these statistics; this one is not changed.
        """
        ...

    def prepare(self, samples: Any, steps: int, cache: Path | None) -> Any:
        """Do the work that need not be repeated for every batch, such as binning events into frames.

        Args:
            samples: images (N, C, H, W), sequences (N, T, C, H, W) or event recordings. Arrays larger than 1 GB come as
                `neurorules.contracts.rows.Rows`, which reads rows on demand.
            steps: number of time steps T, >= 1.
            cache: folder for large intermediate arrays, or None to keep them in memory. File names there must depend on
                the content of the samples and on every option that matters.

        Returns:
            An array or `Rows` with one element per sample, (N, ...). `encode` receives rows of it.
        """
        ...

    def encode(self, batch: Shaped[torch.Tensor, "B *sample"], steps: int, generator: torch.Generator) -> Series:
        """Turn one batch of prepared samples into the drive of the first layer. The encoder is not changed, and the
        result for a sample does not depend on the other samples.

        Args:
            batch: prepared samples (B, ...), on the device where the network runs.
            steps: number of time steps T, >= 1.
            generator: the only source of random numbers.

        Returns:
            A series of currents or spikes (T, B, C, H, W), or (B, C, H, W) where they are the same at every step. The
            values are floating-point and finite, and the same batch, steps and generator state give the same bits.
        """
        ...
