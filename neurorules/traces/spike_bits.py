"""Packs spikes into bits: compiled where there is a C compiler, by numpy where there is none, with the same bits."""

from __future__ import annotations

import ctypes
import functools
from pathlib import Path
from typing import NamedTuple

import numpy as np

SOURCE = Path(__file__).with_suffix(".c")
COMPILED_TYPES = (np.dtype(np.bool_), np.dtype(np.float32), np.dtype(np.float64))
COMPILED_PLACES = 1 << 32
"""Places that a gap of the compiled form can hold."""


class Packed(NamedTuple):
    """Spikes of (T, n, N) as bits in the order (n, T, N), highest bit first, uint8; how many, and whether all are 1."""

    bits: np.ndarray
    spikes: int
    plain: bool


@functools.cache
def library() -> ctypes.CDLL | None:
    """The compiled form, or None where it cannot be had. Asked once a process."""
    from neurorules.native import compile as compile_c

    compiler = compile_c.find_compiler()
    if compiler is None:  # whoever made the spikes has said so
        return None
    found = compile_c.load(compiler, (SOURCE,), compile_c.FLAGS, instead="numpy packs recorded spikes")
    if found is None:
        return None
    for dtype in COMPILED_TYPES:
        found[f"pack_{dtype.name}"].restype = ctypes.c_int64
    return found


def pack(spikes: np.ndarray) -> Packed:
    """Pack spikes.

    Args:
        spikes: (T, n, N) of any number type, time first as a network leaves them. Whatever is not 0 is a spike.
    """
    dense = spikes.shape[2] < 2 or spikes.strides[2] == spikes.itemsize
    if spikes.dtype in COMPILED_TYPES and dense and (found := library()) is not None:
        return _pack_compiled(found, spikes)
    return _pack_numpy(spikes)


def gaps(packed: Packed, places: int) -> np.ndarray:
    """The distance of each spike from the one before, of the first from place 0, (spikes,) of whole numbers.

    Args:
        packed: the spikes.
        places: n T N.
    """
    if places < COMPILED_PLACES and (found := library()) is not None:
        out = np.empty(packed.spikes, np.uint32)
        found.gaps(_address(packed.bits), ctypes.c_int64(len(packed.bits)), _address(out))
        return out
    return np.diff(np.flatnonzero(np.unpackbits(packed.bits, count=places)), prepend=0)


def _pack_compiled(found: ctypes.CDLL, spikes: np.ndarray) -> Packed:
    steps, samples, neurons = spikes.shape
    row = np.empty(steps * neurons + 8, np.uint8)
    bits, unlike = np.empty((spikes.size + 7) // 8, np.uint8), ctypes.c_int64()
    strides = (spikes.strides[0] // spikes.itemsize, spikes.strides[1] // spikes.itemsize)
    sizes = (ctypes.c_int64(n) for n in (steps, samples, neurons, *strides))
    call = found[f"pack_{spikes.dtype.name}"]
    count = call(_address(spikes), *sizes, _address(row), _address(bits), ctypes.byref(unlike))
    return Packed(bits, count, unlike.value == 0)


def _pack_numpy(spikes: np.ndarray) -> Packed:
    fires = spikes != 0
    count = int(np.count_nonzero(fires))
    plain = spikes.dtype == np.bool_ or int(np.count_nonzero(spikes == 1)) == count
    if spikes.shape[2] % 8 == 0:  # packed first, there is an eighth to turn round
        bits = np.ascontiguousarray(np.packbits(fires, axis=2).transpose(1, 0, 2)).ravel()
    else:
        bits = np.packbits(np.ascontiguousarray(fires.transpose(1, 0, 2)))
    return Packed(bits, count, plain)


def _address(array: np.ndarray) -> ctypes.c_void_p:
    return ctypes.c_void_p(array.ctypes.data)
