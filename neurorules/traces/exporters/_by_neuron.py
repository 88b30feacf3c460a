"""Spikes sorted by neuron instead of by sample and step, for formats that store one spike train per neuron."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from neurorules.traces.blocks import EventBlock, event_blocks
from neurorules.traces.exporters._time import Axis
from neurorules.traces.store import TraceReader

# A count from 2 to this number is exported as several spikes within the step; any other value as one spike with a
# value.
MOST = 100

# The number of spikes that are read together; a block of trains has several times as many.
BLOCK = 1 << 18


class Trains(NamedTuple):
    """Trains of neurons `first` to `last` - 1, one after the other: (E,) times and values."""

    first: int
    last: int
    times: np.ndarray
    values: np.ndarray


class _Spread(NamedTuple):
    """Counts laid out as spikes: (E,) the event each comes from, its time in steps, and its value."""

    which: np.ndarray
    steps: np.ndarray
    values: np.ndarray


class Sizes(NamedTuple):
    """The number of spike times of each neuron (N,), with counts as several spikes, and whether all values are then
    1.
    """

    counts: np.ndarray
    plain: bool


def sizes(reader: TraceReader, layer: str) -> Sizes:
    """Count the spikes of each neuron of a layer, in one pass."""
    neurons = reader.header.neurons(layer)
    counts, plain = np.zeros(neurons, np.int64), True
    for block in event_blocks(reader, layer, BLOCK):
        times = _times_of(block.value)
        counts += np.bincount(block.neuron, times, minlength=neurons).astype(np.int64)
        plain = plain and bool(np.all((times > 1) | (block.value == 1)))
    return Sizes(counts, plain)


def trains(reader: TraceReader, layer: str, counts: np.ndarray, axis: Axis, size: int = 1 << 21) -> Iterator[Trains]:
    """The trains of a layer, in blocks of whole trains and at most `size` spike times, if one fits.

    Each block is one pass over the layer's spikes: nothing is sorted on disk, and memory holds one block.
    """
    ends = np.cumsum(counts)
    first = 0
    while first < len(counts):
        begin = ends[first] - counts[first]
        last = max(first + 1, int(np.searchsorted(ends, begin + size, side="right")))
        yield _collect(reader, layer, axis, first, last)
        first = last


def _collect(reader: TraceReader, layer: str, axis: Axis, first: int, last: int) -> Trains:
    neurons, times, values = [np.zeros(0, np.int32)], [np.zeros(0)], [np.zeros(0, np.float32)]
    for block in event_blocks(reader, layer, BLOCK):
        inside = (block.neuron >= first) & (block.neuron < last)
        events = EventBlock(*(column[inside] for column in block))
        spread = _spread(axis.first(events.sample) + events.t, events.value)
        neurons.append(events.neuron[spread.which])
        times.append(spread.steps * axis.dt)
        values.append(spread.values)
    # Stable: within a neuron the times stay in order.
    order = np.argsort(np.concatenate(neurons), kind="stable")
    neurons.clear()
    return Trains(first, last, np.concatenate(times)[order], np.concatenate(values)[order])


def _times_of(values: np.ndarray) -> np.ndarray:
    """Spike times that a value makes: itself if it is a count in 2 .. MOST, else 1."""
    return np.where((values == np.floor(values)) & (values >= 2) & (values <= MOST), values, 1).astype(np.int64)


def _spread(steps: np.ndarray, values: np.ndarray) -> _Spread:
    """Spike j of k within step n stands at n + (j + 1/2) / k."""
    many = _times_of(values)
    which = np.repeat(np.arange(len(steps)), many)
    rank = np.arange(len(which)) - np.repeat(np.cumsum(many) - many, many)
    of_step = many[which]
    alone = np.where(of_step > 1, np.float32(1), values[which])
    return _Spread(which, steps[which] + (rank + 0.5) / of_step, alone)
