"""The storage of spikes in HDF5: one bit per step and neuron, and separate values for spikes other than 1."""

from __future__ import annotations

from typing import NamedTuple

import h5py
import numpy as np

from neurorules.traces.layout import BITS, VALUES, growing, put

REPAYS = 1 / 32
"""The density below which bits are compressed: above it, compression makes recording four times slower and saves less
than half. Source: measured, benchmarks/recording.py --files 0.1,0.02."""
AT_ONCE = 1 << 20
"""The number of bytes of bits that are counted at once."""


class Events(NamedTuple):
    """Spikes of one layer in one sample, ordered by step: (E,) steps, neurons, and values (1 for a plain spike)."""

    t: np.ndarray
    neuron: np.ndarray
    value: np.ndarray


class SpikeBits:
    """Spikes of one layer in a trace of format 3.

    Args:
        group: the group of the layer, with the data sets that `lay_out_spikes` made.
        steps: T, >= 0.
        neurons: N, >= 0.
    """

    def __init__(self, group: h5py.Group, steps: int, neurons: int) -> None:
        self._bits, self._values, self._steps, self._neurons = group[BITS], group[VALUES], steps, neurons

    def events(self, sample: int) -> Events:
        """The spikes of the sample at a position."""
        fires = np.unpackbits(self._bits[sample], axis=1, count=self._neurons)
        places = np.flatnonzero(fires.view(np.bool_))
        t, neuron = np.divmod(places.astype(np.int32), np.int32(max(self._neurons, 1)))
        if sample < len(self._values):
            return Events(t, neuron, self._values[sample].ravel()[places])
        return Events(t, neuron, np.ones(len(places), np.float32))

    def count(self, samples: int) -> int:
        """The number of spikes in a number of samples from the first one on."""
        share = max(1, AT_ONCE // max(1, self._bits[:1].size))
        parts = (self._bits[first : min(first + share, samples)] for first in range(0, samples, share))
        return sum(int(np.count_nonzero(np.unpackbits(part))) for part in parts)


def lay_out_spikes(group: h5py.Group, steps: int, neurons: int, first: np.ndarray) -> None:
    """Make the data sets of a layer's spikes.

    Args:
        group: the new group of the layer.
        steps: T, >= 0.
        neurons: N, >= 0.
        first: spikes that are written first; their density decides whether bits are compressed.
    """
    sparse = bool(np.count_nonzero(first) < REPAYS * first.size)
    growing(group, BITS, (steps, -(-neurons // 8)), np.uint8, sparse)
    growing(group, VALUES, (steps, neurons), np.float32, True, 1)


def put_spikes(bits: h5py.Dataset, values: h5py.Dataset, before: int, spikes: np.ndarray) -> None:
    """Write the spikes of a batch of samples. Every nonzero value is a spike.

    Args:
        bits: the layer's bits.
        values: the layer's values; written only if a spike of the batch is not 1.
        before: the number of samples that are already stored, >= 0.
        spikes: (T, B, N) of any number type.
    """
    fires = spikes != 0
    put(bits, before, np.packbits(fires, axis=2).transpose(1, 0, 2))
    if spikes.dtype != np.bool_ and not np.array_equal(fires, spikes):
        put(values, before, spikes.transpose(1, 0, 2))
