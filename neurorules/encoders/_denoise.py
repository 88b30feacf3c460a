"""tonic's noise filter for event recordings. tonic is imported only when a user sets `denoise_us`."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Shaped

from neurorules.contracts.encoder import EventArrays
from neurorules.language.errors import MissingExtra


@dataclass(frozen=True)
class Denoised:
    """Event recordings after filtering, with the fields of `EventArrays`."""

    x: Shaped[np.ndarray, "E"]
    y: Shaped[np.ndarray, "E"]
    polarity: Shaped[np.ndarray, "E"]
    t_us: Shaped[np.ndarray, "E"]
    offsets: Shaped[np.ndarray, "N_plus_1"]
    sensor: tuple[int, int, int]
    checksum: str

    def __len__(self) -> int:
        return len(self.offsets) - 1


def denoised(events: EventArrays, filter_time_us: int) -> Denoised:
    """Remove events whose four neighbouring pixels were all silent for some time before.

    tonic treats every pixel as active until `filter_time_us`, so no event before that time is removed.

    Args:
        events: the recordings.
        filter_time_us: the time for which the neighbours were silent, microseconds, > 0.

    Returns:
        A copy of the recordings without these events.

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
    filtered = [denoise_numpy(piece, filter_time=filter_time_us) if len(piece) else piece for piece in pieces]
    whole = np.concatenate(filtered)
    offsets = np.cumsum([0, *(len(piece) for piece in filtered)], dtype=np.int64)
    return Denoised(whole["x"], whole["y"], whole["p"], whole["t"], offsets, events.sensor, events.checksum)
