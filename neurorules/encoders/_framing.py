"""From event recordings to counts a step, polarity and pixel; and the one file that keeps them."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable
from pathlib import Path

import numpy as np

from neurorules.contracts.encoder import EventArrays
from neurorules.disk.failures import FULL
from neurorules.disk.kept import kept
from neurorules.disk.space import gigabytes, mapped_array
from neurorules.language.errors import UserError

CHUNK_CELLS = 1 << 22  # counted at a time: 32 MB of counters
COUNTERS = (np.uint8, np.int16, np.int32)  # the narrowest that holds every count is stored; torch reads all three

log = logging.getLogger(__name__)

Binning = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""(microseconds since the recording's first event, the recording's length in microseconds), both (E,) -> bins (E,)"""

MakeArray = Callable[[np.dtype], np.ndarray]


def elapsed_us(events: EventArrays, first: int, last: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Where and when the events of the recordings first .. last - 1 are.

    Returns:
        Three (E,) int64: the event's recording, counted from `first`; the time since that recording's earliest event;
        that recording's length, latest minus earliest plus 1. Times need not be in order.
    """
    offsets = events.offsets[first : last + 1]
    counts = np.diff(offsets)
    owner = np.repeat(np.arange(last - first), counts)
    time = events.t_us[offsets[0] : offsets[-1]].astype(np.int64)
    if not time.size:
        return owner, time, time
    filled = counts > 0  # reduceat would give an empty recording its neighbour's events
    begins = (offsets[:-1] - offsets[0])[filled]
    earliest, latest = np.zeros(len(counts), np.int64), np.zeros(len(counts), np.int64)
    earliest[filled] = np.minimum.reduceat(time, begins)
    latest[filled] = np.maximum.reduceat(time, begins)
    return owner, time - earliest[owner], (latest - earliest + 1)[owner]


def count_events(events: EventArrays, steps: int, binning: Binning, keep_us: float, out: np.ndarray) -> bool:
    """Count into `out` (N, T, 2, H, W) the events until `keep_us` after each recording's first; False: it overflows."""
    polarities, height, width = events.sensor
    cells = steps * polarities * height * width
    most = np.iinfo(out.dtype).max
    chunk = max(1, CHUNK_CELLS // cells)
    for first in range(0, len(events), chunk):
        last = min(first + chunk, len(events))
        part = slice(int(events.offsets[first]), int(events.offsets[last]))
        owner, elapsed, length = elapsed_us(events, first, last)
        row = owner * steps + binning(elapsed, length)
        cell = ((row * polarities + events.polarity[part]) * height + events.y[part]) * width + events.x[part]
        counts = np.bincount(cell[elapsed <= keep_us], minlength=(last - first) * cells)
        if counts.size and counts.max() > most:
            return False
        out[first:last] = counts.reshape(out[first:last].shape)
    return True


def build_frames(events: EventArrays, steps: int, binning: Binning, keep_us: float, make: MakeArray) -> np.ndarray:
    """Frames (N, T, 2, H, W) in the narrowest counter that holds them, in the array that `make(dtype)` gives."""
    for counter in COUNTERS:
        frames = make(np.dtype(counter))
        if count_events(events, steps, binning, keep_us, frames):
            return frames
    raise UserError("frames: a pixel has more than 2,147,483,647 events in one step. Use more --steps")


def kept_on_disk(
    folder: Path, stem: str, shape: tuple[int, ...], build: Callable[[MakeArray], np.ndarray]
) -> np.ndarray:
    """An array kept in a folder, memory-mapped and read-only; built first where it is missing or damaged.

    Where the folder cannot be written, the array is made in memory, after a line that says so.

    Raises:
        UserError: the disk is full.
    """

    def make(path: Path) -> None:
        build(lambda dtype: mapped_array(path, dtype, shape))

    try:
        frames: np.ndarray = np.load(kept(folder, stem, ".npy", make), mmap_mode="r", allow_pickle=False)
        return frames
    except OSError as error:
        reason, size = error.strerror or str(error), math.prod(shape)
        if error.errno in FULL:
            raise UserError(
                f"frames cannot be kept in {folder} ({reason}): they take at least {gigabytes(size)}. Free some space "
                "there, name another folder with the environment's NEURORULES_CACHE, or use fewer --steps"
            ) from None
    other = "Name another folder with the environment's NEURORULES_CACHE"
    log.warning(f"frames cannot be kept in {folder} ({reason}): they are made in memory for this process. {other}")
    return build(lambda dtype: np.empty(shape, dtype))
