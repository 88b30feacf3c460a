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
    """What an encoder of events reads; `neurorules.contracts.data_set.Recordings` is such a thing."""

    @property
    def x(self) -> np.ndarray: ...
    @property
    def y(self) -> np.ndarray: ...
    @property
    def polarity(self) -> np.ndarray: ...
    @property
    def t_us(self) -> np.ndarray: ...
    @property
    def offsets(self) -> np.ndarray: ...
    @property
    def sensor(self) -> tuple[int, int, int]: ...
    @property
    def checksum(self) -> str: ...
    def __len__(self) -> int: ...


@runtime_checkable
class Encoder(Protocol):
    """A frozen dataclass whose fields are the user's options.

    `accepts`: the kinds of samples it takes, of "images" and "events". `statistics`: what `fit` found, plain floats; a
    stored encoder comes back with `with_statistics(ENCODERS.make(text), stored)`.
    """

    accepts: ClassVar[frozenset[str]]

    @property
    def statistics(self) -> Mapping[str, float]: ...

    def fit(self, train: Any) -> Encoder:
        """The encoder with the statistics of the training samples (N, C, H, W) or recordings; `self` stays as it is."""
        ...

    def prepare(self, samples: Any, steps: int, cache: Path | None) -> np.ndarray:
        """An array to be indexed by sample numbers (B,) int64, giving the (B, ...) that `encode` takes."""
        ...

    def encode(self, batch: torch.Tensor, steps: int, generator: torch.Generator) -> Series:
        """The drive of one prepared batch, on the batch's device; random draws come from `generator` alone."""
        ...
