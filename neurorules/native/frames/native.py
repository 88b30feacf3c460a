"""Calls into the compiled counting of events: addresses of arrays are passed to it."""

from __future__ import annotations

import ctypes
import functools
from ctypes import c_int32, c_int64, c_void_p
from pathlib import Path
from typing import Any

import numpy as np
import torch

from neurorules.native import compile as compile_c

SOURCES = tuple(Path(__file__).with_name(name) for name in ("frames.c", "frames_template.c"))
COORDINATES, COUNTERS = ("uint8", "uint16"), ("uint8", "int16", "int32")
WHOLE, TOO_MANY = 0, 1
"""The return values of the kernel; any other value means that an event lies outside the sensor."""


class _Frames(ctypes.Structure):
    """Field for field `Frames` of frames.c."""

    _fields_ = [
        *((name, c_void_p) for name in ("offsets", "t_us", "polarity", "edges")),
        *(
            (name, c_int64)
            for name in ("recordings", "steps", "polarities", "height", "width", "keep_us", "longest_us")
        ),
        ("threads", c_int32),
    ]


@functools.cache
def library() -> ctypes.CDLL | None:
    """The compiled counting, or None, after one warning, if it cannot be compiled. Each process tries once."""
    return compile_c.load(compile_c.find_compiler(), SOURCES, compile_c.FLAGS, instead="events are counted by NumPy")


def serves(events: Any, counts: np.ndarray) -> bool:
    """Whether the compiled kernel can count these events.

    Args:
        events: recordings in flat arrays (`neurorules.contracts.encoder.EventArrays`).
        counts: the array for the counts, (N, T, P, H, W).

    Returns:
        False if there is no kernel for the data types, or if it cannot be compiled.
    """
    types = (events.polarity.dtype, events.t_us.dtype, events.offsets.dtype)
    coordinate = events.x.dtype
    fits = types == (np.uint8, np.int32, np.int64) and coordinate == events.y.dtype and counts.flags.c_contiguous
    return fits and coordinate.name in COORDINATES and counts.dtype.name in COUNTERS and library() is not None


def count(
    events: Any, counts: np.ndarray, edges: np.ndarray | None, longest_us: int,
    keep_us: int,
) -> bool:  # fmt: skip
    """Count the events of all recordings, several recordings at once.

    Args:
        events: recordings, for which `serves` is true; they need not be sorted by time.
        counts: the array that the counts are written to, (N, T, P, H, W).
        edges: the beginning of each step in microseconds, (T,) int64, ascending from 0; None for equal steps over each
            recording.
        longest_us: the largest duration that is divided into equal steps, in microseconds.
        keep_us: events that come later than this after the first one of their recording are left out, in microseconds.

    Returns:
        Whether every count fits the data type of `counts`; otherwise the counts are invalid.

    Raises:
        IndexError: an event lies outside the sensor.
    """
    compiled = compile_c.kernels_of(library())
    steps, *sensor = counts.shape[1:]
    x, y, *flat = (np.ascontiguousarray(a) for a in (events.x, events.y, events.offsets, events.t_us, events.polarity))
    addresses = [array.ctypes.data for array in flat]
    task = _Frames(
        *addresses, None if edges is None else edges.ctypes.data, len(counts), steps, *sensor, keep_us, longest_us,
        torch.get_num_threads(),
    )  # fmt: skip
    kernel = compiled[f"count_{x.dtype.name}_{counts.dtype.name}"]
    answer = kernel(ctypes.byref(task), *(c_void_p(array.ctypes.data) for array in (x, y, counts)))
    if answer not in (WHOLE, TOO_MANY):
        raise IndexError(f"an event lies outside the sensor {events.sensor}")
    return bool(answer == WHOLE)
