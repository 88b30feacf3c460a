"""From event recordings to counts a step, polarity and pixel; and the one file that keeps them."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np

from neurorules.encoders._shared import EventArrays
from neurorules.language.errors import UserError

CHUNK_CELLS = 1 << 22  # counted at a time: 32 MB of counters
COUNTERS = (np.uint8, np.int16, np.int32)  # the narrowest that holds every count is stored; torch reads all three

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


def kept_on_disk(path: Path, shape: tuple[int, ...], build: Callable[[MakeArray], np.ndarray]) -> np.ndarray:
    """The array in the .npy file `path`, memory-mapped and read-only; built first where the file is not there.

    It is written under another name and renamed when whole, so processes that build it at once do not meet: the last
    one's equal file stays, and an earlier reader keeps the one it opened.

    Raises:
        UserError: the cache folder cannot be written.
    """
    frames = _open(path, shape)
    if frames is not None:
        return frames
    partial: Path | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".partial")
        os.close(handle)
        partial = Path(name)
        build(lambda dtype: np.lib.format.open_memmap(name, mode="w+", dtype=dtype, shape=shape))
        os.replace(partial, path)
    except OSError as error:
        raise UserError(
            f"frames cannot be kept in {path.parent} ({error.strerror}). "
            "Free some space there, or name another folder with the environment's NEURORULES_CACHE"
        ) from None
    finally:
        if partial is not None:
            partial.unlink(missing_ok=True)
    frames = _open(path, shape)
    if frames is None:
        raise UserError(f"frames in {path} cannot be read back. Remove the file and try again")
    return frames


def _open(path: Path, shape: tuple[int, ...]) -> np.ndarray | None:
    """The stored array, or None where there is none of this shape (a damaged file is built anew)."""
    try:
        frames: np.ndarray = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError):
        return None
    return frames if frames.shape == shape else None
