"""tonic's noise filter over many recordings; tonic is imported only here and only when asked for."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from neurorules.contracts.encoder import EventArrays
from neurorules.language.errors import MissingExtra


@dataclass(frozen=True)
class Denoised:
    """Recordings after the filter; fields as in `EventArrays`."""

    x: np.ndarray
    y: np.ndarray
    polarity: np.ndarray
    t_us: np.ndarray
    offsets: np.ndarray
    sensor: tuple[int, int, int]
    checksum: str

    def __len__(self) -> int:
        return len(self.offsets) - 1


def denoised(events: EventArrays, filter_time_us: int) -> Denoised:
    """The recordings without events whose four neighbours were all silent for `filter_time_us` before.

    tonic takes every pixel as active until `filter_time_us`, so nothing before that time is dropped.

    Raises:
        MissingExtra: tonic is not installed.
    """
    try:
        from tonic.functional import denoise_numpy
    except ImportError:
        raise MissingExtra("encoder 'frames' with denoise_us", "tonic", "events") from None
    table = np.zeros(len(events.x), dtype=[("x", "<i2"), ("y", "<i2"), ("t", "<i8"), ("p", "u1")])
    table["x"], table["y"], table["t"], table["p"] = events.x, events.y, events.t_us, events.polarity
    pieces = np.split(table, events.offsets[1:-1])
    kept = [denoise_numpy(piece, filter_time=filter_time_us) if len(piece) else piece for piece in pieces]
    whole = np.concatenate(kept)
    offsets = np.cumsum([0, *(len(piece) for piece in kept)], dtype=np.int64)
    return Denoised(whole["x"], whole["y"], whole["p"], whole["t"], offsets, events.sensor, events.checksum)
