"""Event counts per step, polarity and pixel, cached in a file; for the encoder `frames`."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Shaped

from neurorules.contracts.encoder import EventArrays
from neurorules.disk.cache import cache_path
from neurorules.disk.failures import FULL
from neurorules.disk.space import gigabytes, mapped_array
from neurorules.language.errors import UserError
from neurorules.native import frames as native

FOREVER = np.iinfo(np.int64).max - 1
LATEST_US = 1 << 32  # times are int32, so none is that far behind another
CHUNK_CELLS = 1 << 22  # cells that are counted at a time: 32 MB of counters
COUNTERS = (np.uint8, np.int16, np.int32)  # the narrowest type that holds every count is stored; torch reads all three

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Bins:
    """The steps that time is divided into.

    Args:
        steps: T, >= 1.
        width_us: length of a step in microseconds, the last of which takes what comes after; 0 for T equal steps from
            each recording's first event to its last.
        keep_us: events later than this after the first one of their recording are left out, microseconds; infinite
            for none.
    """

    steps: int
    width_us: float
    keep_us: float

    @property
    def last_us(self) -> int:
        """The last whole microsecond at which an event counts."""
        return FOREVER if self.keep_us >= FOREVER else math.floor(self.keep_us)

    @property
    def longest_us(self) -> int:
        """Length of what equal steps are made of, at most, in microseconds."""
        return self.last_us + 1

    def of(self, elapsed: Shaped[np.ndarray, "E"], length: Shaped[np.ndarray, "E"]) -> Shaped[np.ndarray, "E"]:
        """The steps of events, 0 .. T - 1, int64.

        Args:
            elapsed: time since the first event of each one's recording, (E,) int64, microseconds.
            length: the length of its recording, (E,) int64, microseconds.
        """
        if self.width_us:
            return np.minimum(elapsed // self.width_us, self.steps - 1).astype(np.int64)
        # elapsed < length, so the quotient is below T; np.minimum only meets events that are left out
        return np.minimum(elapsed * self.steps // np.minimum(length, self.longest_us), self.steps - 1)

    def edges(self) -> Shaped[np.ndarray, "T"] | None:
        """The first microsecond of each step, int64; None where steps are those of each recording."""
        if not self.width_us:
            return None
        numbers = np.arange(self.steps)
        edges = np.minimum(np.ceil(numbers * self.width_us), LATEST_US).astype(np.int64)
        return edges + ((edges < LATEST_US) & (edges // self.width_us < numbers))  # where the product was rounded down


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


def count_events(events: EventArrays, bins: Bins, out: Shaped[np.ndarray, "N T P H W"]) -> bool:
    """Count the events of all recordings: in one compiled pass, or by NumPy, with the same counts.

    Args:
        events: the recordings.
        bins: the steps.
        out: the array to write the counts to, (N, T, P, H, W), of any integer type.

    Returns:
        Whether the type of `out` can hold every count; counting stops at the first count that is too large.
    """
    if native.serves(events, out):
        return native.count(events, out, bins.edges(), bins.longest_us, bins.last_us)
    return count_in_chunks(events, bins, out)


def count_in_chunks(events: EventArrays, bins: Bins, out: Shaped[np.ndarray, "N T P H W"]) -> bool:
    """Count as `count_events` does, by NumPy, some recordings after the others."""
    polarities, height, width = events.sensor
    cells = bins.steps * polarities * height * width
    most = np.iinfo(out.dtype).max
    chunk = max(1, CHUNK_CELLS // cells)
    for first in range(0, len(events), chunk):
        last = min(first + chunk, len(events))
        part = slice(int(events.offsets[first]), int(events.offsets[last]))
        owner, elapsed, length = elapsed_us(events, first, last)
        row = owner * bins.steps + bins.of(elapsed, length)
        cell = ((row * polarities + events.polarity[part]) * height + events.y[part]) * width + events.x[part]
        counts = np.bincount(cell[elapsed <= bins.last_us], minlength=(last - first) * cells)
        if counts.size and counts.max() > most:
            return False
        out[first:last] = counts.reshape(out[first:last].shape)
    return True


def build_frames(events: EventArrays, bins: Bins, make: MakeArray) -> Shaped[np.ndarray, "N T P H W"]:
    """Count the events of all recordings in the narrowest integer type that holds every count.

    Args:
        events: the recordings.
        bins: the steps.
        make: a function that creates the array for the counts, given its type.

    Returns:
        That array, (N, T, P, H, W).

    Raises:
        UserError: a pixel has more events in one step than a 32-bit integer holds.
    """
    for counter in COUNTERS:
        frames = make(np.dtype(counter))
        if count_events(events, bins, frames):
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
        frames: np.ndarray = np.load(cache_path(folder, stem, ".npy", make), mmap_mode="r", allow_pickle=False)
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
