"""The contract of encoders: one turns samples of a data set into the currents or spikes that drive the first layer."""

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
    """N event recordings in flat arrays, as encoders of events read them.

    Recording i owns the events `offsets[i]` up to, not including, `offsets[i + 1]`. Any object with these attributes
    will do; the library's own is `neurorules.contracts.data_set.Recordings`.
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
        """Index of the first event of each recording, and at the end the number of all events: (N + 1,) int64."""
        ...

    @property
    def sensor(self) -> tuple[int, int, int]:
        """Polarities, rows and columns of the sensor: (P, H, W)."""
        ...

    @property
    def checksum(self) -> str:
        """Hex digest of the content, under which prepared samples are cached."""
        ...

    def __len__(self) -> int:
        """The number of recordings N in these arrays."""
        ...


@runtime_checkable
class Encoder(Protocol):
    """Turns samples of a data set into what drives the first layer. A frozen dataclass whose fields are its options.

    An encoder is fitted once, to training samples alone. A stored run holds its name with options, and its
    `statistics`; from these two it is built again.
    """

    accepts: ClassVar[frozenset[str]]
    """The kinds of samples it takes, out of "images", "events" and "sequences"."""

    @property
    def statistics(self) -> Mapping[str, float]:
        """The statistics that `fit` measured: numbers by the name of the field that holds them; empty where nothing is
        fitted.
        """
        ...

    def fit(self, train: Any) -> Encoder:
        """Measure whatever the encoder needs to know about the training samples, such as their mean.

        Args:
            train: images (N, C, H, W), uint8 or float32 in 0..1; sequences (N, T, C, H, W), uint8 or float32; or event
                recordings (`EventArrays`).

        Returns:
            An encoder that holds these statistics; this one stays as it is.
        """
        ...

    def prepare(self, samples: Any, steps: int, cache: Path | None) -> Any:
        """Do the work that need not be repeated for every batch, such as binning events into frames.

        Args:
            samples: images (N, C, H, W), sequences (N, T, C, H, W) or event recordings; of arrays larger than 1 GB
                `neurorules.contracts.rows.Rows`, which fetch rows when they are asked for.
            steps: number of time steps T, >= 1.
            cache: folder for large intermediate arrays, or None to keep them in memory. What is kept there is named
                by the samples' content and every option it depends on.

        Returns:
            An array or `Rows` with one entry per sample, (N, ...). `encode` is handed rows of it.
        """
        ...

    def encode(self, batch: Shaped[torch.Tensor, "B *sample"], steps: int, generator: torch.Generator) -> Series:
        """Turn one batch of prepared samples into what drives the first layer. The encoder stays as
        `fit` made it, and no sample sees another.

        Args:
            batch: prepared samples (B, ...), on the device where the network runs.
            steps: number of time steps T, >= 1.
            generator: the only source of random numbers.

        Returns:
            A series of currents or spikes (T, B, C, H, W), or (B, C, H, W) where they are the same at every step:
            floating-point, finite, and the same bits for equal batches, steps and generators.
        """
        ...
