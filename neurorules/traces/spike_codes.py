"""Spikes of a block of samples as bytes, without loss: one bit a neuron and step, or the gaps between spikes.

A block is (n, T, N), read in that order as one row of n T N places. Its payload is

    marks    BITS: one bit a place, packed from the highest bit on; GAPS: the distance of each spike from the one
             before (the first: from place 0), as the smallest unsigned integer that holds all of them
    values   none where every spike is 1; else float32, one a spike, in the same order

either part deflated where `DEFLATED_...` is set. A zero is no spike, a negative one included.
"""

from __future__ import annotations

import zlib
from enum import IntFlag
from typing import NamedTuple

import numpy as np

GAP_TYPES = (np.uint8, np.uint16, np.uint32, np.uint64)
"""By the two bits of `GAP_SIZE`: 0, 1, 2, 3."""
SPARSE = 1 / 16
"""Density below which gaps are tried: one byte a spike, where that holds them, against one bit a place."""
REPAYS = 1 / 32
"""Density below which deflating marks repays: above, it takes ten times as long as packing and saves a third. Source:
measured, benchmarks/recording.py."""
FAST = 1
"""Level of zlib."""


class Code(IntFlag):
    """How a block is written; bits 4 and 5 say which of `GAP_TYPES` holds the gaps."""

    BITS = 0
    GAPS = 1
    VALUES = 2
    DEFLATED_MARKS = 4
    DEFLATED_VALUES = 8


class Block(NamedTuple):
    """A block of samples: how it is written, how many spikes it has, how long its marks are, and its bytes."""

    code: int
    spikes: int
    marks: int
    payload: bytes


def encode(spikes: np.ndarray) -> Block:
    """Write spikes.

    Args:
        spikes: (T, n, N) of any number type, time first as a network leaves them; quickest where they are booleans.
    """
    graded = spikes.dtype != np.bool_
    fires = spikes != 0 if graded else spikes
    count = int(np.count_nonzero(fires))
    plain = not graded or int(np.count_nonzero(spikes == 1)) == count
    code, marks = _marks(fires, count)
    if count < REPAYS * spikes.size:
        code, marks = _deflated(code, marks, Code.DEFLATED_MARKS)
    if plain:
        return Block(code, count, len(marks), marks)
    values = np.ascontiguousarray(spikes.transpose(1, 0, 2)[fires.transpose(1, 0, 2)], np.float32).tobytes()
    code, values = _deflated(code | Code.VALUES, values, Code.DEFLATED_VALUES)
    return Block(code, count, len(marks), marks + values)


def decode(block: Block, places: int) -> tuple[np.ndarray, np.ndarray]:
    """Read what `encode` wrote.

    Args:
        block: as it was written.
        places: n T N.

    Returns:
        The places of its spikes, ascending int64, and their values, float32.

    Raises:
        ValueError: the bytes are not such a block.
    """
    code = block.code
    marks = _inflated(code & Code.DEFLATED_MARKS, block.payload[: block.marks])
    if code & Code.GAPS:
        where = np.cumsum(np.frombuffer(marks, GAP_TYPES[code >> 4 & 3]), dtype=np.int64)
    else:
        where = np.flatnonzero(np.unpackbits(np.frombuffer(marks, np.uint8), count=places))
    if not code & Code.VALUES:
        values = np.ones(len(where), np.float32)
    else:
        values = np.frombuffer(_inflated(code & Code.DEFLATED_VALUES, block.payload[block.marks :]), np.float32)
    if not len(where) == len(values) == block.spikes:
        raise ValueError(f"a block of {block.spikes} spikes holds {len(where)}")
    return where, values


def _marks(fires: np.ndarray, count: int) -> tuple[int, bytes]:
    by_sample = fires.transpose(1, 0, 2)
    if count < SPARSE * fires.size:
        where = np.flatnonzero(np.ascontiguousarray(by_sample))
        gaps = np.diff(where, prepend=0)
        size = int(np.searchsorted([1 << 8, 1 << 16, 1 << 32], int(gaps.max(initial=0)), side="right"))
        if count << size < fires.size >> 3:
            return int(Code.GAPS) | size << 4, gaps.astype(GAP_TYPES[size]).tobytes()
    if fires.shape[2] % 8 == 0:  # packed first, there is an eighth to turn round
        return int(Code.BITS), np.ascontiguousarray(np.packbits(fires, axis=2).transpose(1, 0, 2)).tobytes()
    return int(Code.BITS), np.packbits(np.ascontiguousarray(by_sample)).tobytes()


def _deflated(code: int, content: bytes, flag: Code) -> tuple[int, bytes]:
    """Deflated where that is shorter."""
    shorter = zlib.compress(content, FAST)
    return (code | flag, shorter) if len(shorter) < len(content) else (code, content)


def _inflated(deflated: int, content: bytes) -> bytes:
    try:
        return zlib.decompress(content) if deflated else content
    except zlib.error as error:
        raise ValueError(f"a block cannot be inflated: {error}") from None
