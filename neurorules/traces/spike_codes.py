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

from neurorules.traces.spike_bits import Packed, gaps, pack

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
        spikes: (T, n, N) of any number type, time first as a network leaves them.
    """
    packed = pack(spikes)
    code, marks = _marks(packed, spikes.size)
    if packed.spikes < REPAYS * spikes.size:
        code, marks = _deflated(code, marks, Code.DEFLATED_MARKS)
    if packed.plain:
        return Block(code, packed.spikes, len(marks), marks)
    turned = spikes.transpose(1, 0, 2)
    values = np.ascontiguousarray(turned[turned != 0], np.float32).tobytes()
    code, values = _deflated(code | Code.VALUES, values, Code.DEFLATED_VALUES)
    return Block(code, packed.spikes, len(marks), marks + values)


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


def _marks(packed: Packed, places: int) -> tuple[int, bytes]:
    if packed.spikes < SPARSE * places:
        found = gaps(packed, places)
        size = int(np.searchsorted([1 << 8, 1 << 16, 1 << 32], int(found.max(initial=0)), side="right"))
        if packed.spikes << size < places >> 3:
            return int(Code.GAPS) | size << 4, found.astype(GAP_TYPES[size]).tobytes()
    return int(Code.BITS), packed.bits.tobytes()


def _deflated(code: int, content: bytes, flag: Code) -> tuple[int, bytes]:
    """Deflated where that is shorter."""
    shorter = zlib.compress(content, FAST)
    return (code | flag, shorter) if len(shorter) < len(content) else (code, content)


def _inflated(deflated: int, content: bytes) -> bytes:
    try:
        return zlib.decompress(content) if deflated else content
    except zlib.error as error:
        raise ValueError(f"a block cannot be inflated: {error}") from None
