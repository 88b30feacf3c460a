"""Counts of events per step, polarity and pixel, made from event recordings, and the file that they are cached in."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
from jaxtyping import Shaped

from neurorules.contracts.encoder import EventArrays
from neurorules.disk.failures import FULL
from neurorules.disk.kept import kept
from neurorules.disk.space import gigabytes, mapped_array
from neurorules.language.errors import UserError

CHUNK_CELLS = 1 << 22  # cells that are counted at a time: 32 MB of counters
COUNTERS = (np.uint8, np.int16, np.int32)  # the narrowest type that holds every count is stored; torch reads all three

log = logging.getLogger(__name__)

Binning = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""A function that says into which bin each event falls, 0 .. T - 1, from the time since the first event of its
recording and the length of that recording, both (E,) in microseconds."""

MakeArray = Callable[[np.dtype], np.ndarray]
"""A function that gives an array of a type, of the shape that its user knows."""


def elapsed_us(
    events: EventArrays, first: int, last: int
) -> tuple[Shaped[np.ndarray, "E"], Shaped[np.ndarray, "E"], Shaped[np.ndarray, "E"]]:
    """Time the events of some recordings from the first event of each. Events need not be in order.

    Args:
        events: all recordings.
        first, last: the recordings first .. last - 1 are read.

    Returns:
        Three arrays (E,) int64 for their events: the recording, counted from `first`; the time since its earliest
        event; and its length, latest minus earliest plus 1, both in microseconds.
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


def count_events(
    events: EventArrays, steps: int, binning: Binning, keep_us: float, out: Shaped[np.ndarray, "N T P H W"]
) -> bool:
    """Count the events of all recordings.

    Args:
        events: the recordings.
        steps: number of time steps T.
        binning: says into which step an event falls.
        keep_us: events later than this after the first one of their recording are left out, microseconds.
        out: what the counts are written into, (N, T, P, H, W) of any integer type.

    Returns:
        Whether the type of `out` holds every count; counting stops where it does not.
    """
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


def build_frames(
    events: EventArrays, steps: int, binning: Binning, keep_us: float, make: MakeArray
) -> Shaped[np.ndarray, "N T P H W"]:
    """Count the events of all recordings in the narrowest integer type that holds every count.

    Args:
        events: the recordings.
        steps: number of time steps T.
        binning: says into which step an event falls.
        keep_us: events later than this after the first one of their recording are left out, microseconds.
        make: gives an array of a type, which the counts are written into.

    Returns:
        That array, (N, T, P, H, W).

    Raises:
        UserError: a pixel has more events in one step than 32 bits count.
    """
    for counter in COUNTERS:
        frames = make(np.dtype(counter))
        if count_events(events, steps, binning, keep_us, frames):
            return frames
    raise UserError("frames: a pixel has more than 2,147,483,647 events in one step. Use more --steps")


def kept_on_disk(
    folder: Path, stem: str, shape: tuple[int, ...], build: Callable[[MakeArray], np.ndarray]
) -> np.ndarray:
    """Read an array from the cache, and build it first where it is missing or damaged.

    Where the folder cannot be written, the array is built in memory, after a line that says so.

    Args:
        folder: the cache.
        stem: begins the file's name, and stands for everything that the array depends on.
        shape: the shape of the array.
        build: builds it in the array that a function of its type gives.

    Returns:
        The array: memory-mapped and read-only, or in memory.

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
