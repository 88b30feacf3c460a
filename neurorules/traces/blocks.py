"""Reading a trace block by block, so that a long recording need not fit in memory."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from neurorules.traces.store import TraceReader

SIZE = 1 << 20
"""Number of spikes, or of values of a dense variable, in a block."""


class EventBlock(NamedTuple):
    """Spikes of one layer in consecutive samples, each sample's ordered by step. E is their number.

    Args:
        sample: positions in the trace, (E,).
        t, neuron, value: step, neuron and value of each spike, as in `Events`, (E,) each.
    """

    sample: np.ndarray
    t: np.ndarray
    neuron: np.ndarray
    value: np.ndarray


class DenseBlock(NamedTuple):
    """A variable of one layer in consecutive samples.

    Args:
        first: position of the first sample in the trace.
        values: (n, T, N), of n samples.
    """

    first: int
    values: np.ndarray


def event_blocks(reader: TraceReader, layer: str, size: int | None = None) -> Iterator[EventBlock]:
    """Spikes of a layer in all samples, block by block. At most one block and one sample are in memory.

    Args:
        reader: an open trace.
        layer: name of the layer.
        size: the largest number of spikes of a block, >= 1; `SIZE` if None.

    Returns:
        An iterator over blocks of 1 to `size` spikes, in the order of the trace.

    Raises:
        UserError: as in `TraceReader.events`.
    """
    size = size or SIZE
    waiting: list[EventBlock] = []
    many = 0
    for sample in reader:
        events = reader.events(sample.position, layer)
        for first in range(0, len(events.t), size):
            part = [column[first : first + size] for column in events]
            if many + len(part[0]) > size:
                yield _joined(waiting)
                waiting, many = [], 0
            waiting.append(EventBlock(np.full(len(part[0]), sample.position), *part))
            many += len(part[0])
    if waiting:
        yield _joined(waiting)


def dense_blocks(reader: TraceReader, layer: str, variable: str, size: int | None = None) -> Iterator[DenseBlock]:
    """A variable of a layer in all samples, block by block.

    Args:
        reader: an open trace.
        layer: name of the layer.
        variable: the name of the variable.
        size: the largest number of values of a block, >= 1; `SIZE` if None. A block has at least one sample.

    Returns:
        An iterator over blocks of whole samples, in the order of the trace.

    Raises:
        UserError: as in `TraceReader.dense`.
    """
    size = size or SIZE
    waiting: list[np.ndarray] = []
    first = 0
    for sample in reader:
        values = reader.dense(sample.position, layer, variable)
        if waiting and (len(waiting) + 1) * values.size > size:
            yield DenseBlock(first, np.stack(waiting))
            waiting, first = [], sample.position
        waiting.append(values)
    if waiting:
        yield DenseBlock(first, np.stack(waiting))


def _joined(parts: list[EventBlock]) -> EventBlock:
    return EventBlock(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))
