"""A whole trace, a block at a time: what a long recording is read with where it need not fit in memory."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from neurorules.traces.store import TraceReader

SIZE = 1 << 20
"""Spikes, or numbers of a dense variable, in a block."""


class EventBlock(NamedTuple):
    """Spikes of one layer in consecutive samples, each ordered by step: (E,) sample positions, then as `Events`."""

    sample: np.ndarray
    t: np.ndarray
    neuron: np.ndarray
    value: np.ndarray


class DenseBlock(NamedTuple):
    """A variable in consecutive samples: the position of the first, and (n, T, N) values."""

    first: int
    values: np.ndarray


def event_blocks(reader: TraceReader, layer: str, size: int | None = None) -> Iterator[EventBlock]:
    """Spikes of a layer in all samples, in blocks of 1 to `size` spikes; what it holds is a block and a sample.

    Raises:
        UserError: see `TraceReader.events`.
    """
    size = size or SIZE
    held: list[EventBlock] = []
    many = 0
    for sample in reader:
        events = reader.events(sample.position, layer)
        for first in range(0, len(events.t), size):
            part = [column[first : first + size] for column in events]
            if many + len(part[0]) > size:
                yield _joined(held)
                held, many = [], 0
            held.append(EventBlock(np.full(len(part[0]), sample.position), *part))
            many += len(part[0])
    if held:
        yield _joined(held)


def dense_blocks(reader: TraceReader, layer: str, variable: str, size: int | None = None) -> Iterator[DenseBlock]:
    """A variable of a layer in all samples, in blocks of whole samples and at most `size` numbers, if one fits.

    Raises:
        UserError: see `TraceReader.dense`.
    """
    size = size or SIZE
    held: list[np.ndarray] = []
    first = 0
    for sample in reader:
        values = reader.dense(sample.position, layer, variable)
        if held and (len(held) + 1) * values.size > size:
            yield DenseBlock(first, np.stack(held))
            held, first = [], sample.position
        held.append(values)
    if held:
        yield DenseBlock(first, np.stack(held))


def _joined(parts: list[EventBlock]) -> EventBlock:
    return EventBlock(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))
