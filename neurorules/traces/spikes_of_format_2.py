"""The reader of spikes in traces of format 2, which earlier versions wrote.

Spikes of all layers stand one after the other in `/spikes/data`, in blocks that `/spikes/blocks` lists. A block holds
the places of n samples, T steps and N neurons in that order. Its marks are one bit for each place, or the distance of
each spike from the previous one as whole numbers; values follow if a spike is not 1. Either part may be deflated.
"""

from __future__ import annotations

import zlib
from typing import NamedTuple

import h5py
import numpy as np

from neurorules.traces.spikes import Events

GAPS, HAS_VALUES, DEFLATED_MARKS, DEFLATED_VALUES = 1, 2, 4, 8
"""The bits of a block's code."""
GAP_TYPES = (np.uint8, np.uint16, np.uint32, np.uint64)
"""The types of numbers by bits 4 and 5 of a block's code."""


class _Decoded(NamedTuple):
    """A block: its first sample and how many, the places of its spikes in ascending order, and their values."""

    first: int
    samples: int
    places: np.ndarray
    values: np.ndarray


class SpikeBlocks:
    """Spikes of one layer in a trace of format 2.

    Args:
        file: the trace.
        number: the layer's place in the header.
        steps: T, >= 0.
        neurons: N, >= 0.
    """

    def __init__(self, file: h5py.File, number: int, steps: int, neurons: int) -> None:
        self._data, self._steps, self._neurons = file["spikes/data"], steps, neurons
        rows = file["spikes/blocks"][:]
        rows = np.column_stack([rows, np.concatenate([[0], rows[:, 6]])[: len(rows)]])
        self._blocks = rows[rows[:, 0] == number]
        self._decoded: _Decoded | None = None

    def events(self, sample: int) -> Events:
        """The spikes of the sample at a position."""
        block, size = self._block(sample), self._steps * self._neurons
        start = (sample - block.first) * size
        first, last = np.searchsorted(block.places, (start, start + size))
        t, neuron = np.divmod(block.places[first:last] - start, max(self._neurons, 1))
        return Events(t.astype(np.int32), neuron.astype(np.int32), block.values[first:last].copy())

    def count(self, samples: int) -> int:
        """The number of spikes in a number of samples from the first one on."""
        inside = self._blocks[:, 1] + self._blocks[:, 2] <= samples
        return int(self._blocks[inside, 4].sum())

    def _block(self, sample: int) -> _Decoded:
        """The block of a sample; the last one is kept."""
        last = self._decoded
        if last is None or not last.first <= sample < last.first + last.samples:
            row = self._blocks[int(np.searchsorted(self._blocks[:, 1], sample, side="right")) - 1]
            _, first, samples, code, spikes, marks, end, checksum, start = row.tolist()
            payload = self._data[start:end].tobytes()
            if zlib.crc32(payload) != checksum:
                raise OSError(f"checksum of the spikes of samples {first} to {first + samples - 1}")
            places = _places(code, payload[:marks], samples * self._steps * self._neurons)
            last = self._decoded = _Decoded(first, samples, places, _values(code, payload[marks:], spikes))
        return last


def _places(code: int, marks: bytes, places: int) -> np.ndarray:
    content = zlib.decompress(marks) if code & DEFLATED_MARKS else marks
    if code & GAPS:
        return np.cumsum(np.frombuffer(content, GAP_TYPES[code >> 4 & 3]), dtype=np.int64)
    return np.flatnonzero(np.unpackbits(np.frombuffer(content, np.uint8), count=places))


def _values(code: int, content: bytes, spikes: int) -> np.ndarray:
    if not code & HAS_VALUES:
        return np.ones(spikes, np.float32)
    return np.frombuffer(zlib.decompress(content) if code & DEFLATED_VALUES else content, np.float32)
