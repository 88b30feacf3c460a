"""Event counts per step, polarity and pixel, cached in a file; for the encoder `frames`."""

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

CHUNK_CELLS = 1 << 22  # cells per chunk: 32 MB of counters
COUNTERS = (np.uint8, np.int16, np.int32)  # the smallest type that holds every count is used; torch reads all three

log = logging.getLogger(__name__)

Binning = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""A function that returns the bin of each event, 0 .. T - 1, given the time since the first event of its recording and
the length of the recording, both (E,) in microseconds."""

MakeArray = Callable[[np.dtype], np.ndarray]
"""A function that returns an array of a given type; its shape is known to the caller."""


def elapsed_us(
    events: EventArrays, first: int, last: int
) -> tuple[Shaped[np.ndarray, "E"], Shaped[np.ndarray, "E"], Shaped[np.ndarray, "E"]]:
    """Compute the time of each event since the first event of its recording. Events need not be in order.

    Args:
        events: all recordings.
        first, last: the recordings first .. last - 1 are read.

    Returns:
        Three int64 arrays (E,) for the events: the index of the recording, counted from `first`; the time since its
        earliest event; and its length (latest minus earliest plus 1), both in microseconds.
    """
    offsets = events.offsets[first : last + 1]
    counts = np.diff(offsets)
    owner = np.repeat(np.arange(last - first), counts)
    time = events.t_us[offsets[0] : offsets[-1]].astype(np.int64)
    if not time.size:
        return owner, time, time
    filled = counts > 0  # reduceat would assign the neighbour's events to an empty recording
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
        binning: the function that assigns events to steps.
        keep_us: events later than this after the first event of their recording are ignored, microseconds.
        out: the array to write the counts to, (N, T, P, H, W), of any integer type.

    Returns:
        Whether the type of `out` can hold every count; counting stops at the first count that is too large.
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
    """Count the events of all recordings in the smallest integer type that holds every count.

    Args:
        events: the recordings.
        steps: number of time steps T.
        binning: the function that assigns events to steps.
        keep_us: events later than this after the first event of their recording are ignored, microseconds.
        make: a function that creates the array for the counts, given its type.

    Returns:
        That array, (N, T, P, H, W).

    Raises:
        UserError: a pixel has more events in one step than a 32-bit integer holds.
    """
    for counter in COUNTERS:
        frames = make(np.dtype(counter))
        if count_events(events, steps, binning, keep_us, frames):
            return frames
    raise UserError("frames: a pixel has more than 2,147,483,647 events in one step. Use more --steps")


def kept_on_disk(
    folder: Path, stem: str, shape: tuple[int, ...], build: Callable[[MakeArray], np.ndarray]
) -> np.ndarray:
    """Read an array from the cache, and build it first if it is missing or damaged.

    If the folder cannot be written, the array is built in memory, with a warning.

    Args:
        folder: the folder of the cache.
        stem: the beginning of the file's name, which must depend on everything that the array depends on.
        shape: the shape of the array.
        build: a function that fills the array; it receives a function that creates an array of a given type.

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
