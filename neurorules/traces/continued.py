"""Continuing a trace: the recording of an interrupted run up to an epoch is kept, and new samples are appended."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from neurorules.language.errors import UserError
from neurorules.runs.outputs import A_TRACE, check_kind
from neurorules.runs.plain_json import plain
from neurorules.traces.header import TraceHeader
from neurorules.traces.store import Sample, TraceReader
from neurorules.traces.writer import TraceWriter

TOGETHER = 16
"""Number of samples that are copied at a time."""


def continue_trace(path: Path, header: TraceHeader, epoch: int) -> TraceWriter:
    """Open a trace to continue it from an epoch; recordings of that epoch and later ones are removed.

    The existing file is kept until its copy can replace it.

    Args:
        path: the path of the trace; a new one is begun if there is none, or if `epoch` is 0.
        header: the header of the new file; it must describe the same recording as the old one.
        epoch: the first epoch that is still to come.

    Returns:
        The writer.

    Raises:
        UserError: the trace is a different recording, or is damaged.
    """
    if epoch <= 0 and path.exists():  # the file of a run that is replaced, or that stored nothing
        check_kind(path, A_TRACE)
        path.unlink()
    if not path.is_file():
        return TraceWriter(path, header)
    with TraceReader(path) as old:
        check_same(old, header.recording)
        writer = TraceWriter(path, header)
        _copy(old, writer, epoch)
        writer.take_place()
    return writer


def check_same(old: TraceReader, options: Mapping[str, Any]) -> None:
    """Refuse to continue a trace with other settings.

    Args:
        old: the open trace.
        options: the requested recording, by name as in `TraceHeader.recording`.

    Raises:
        UserError: they differ; the message names each difference.
    """
    stored, wanted = old.header.recording, plain(options)
    differing = [key for key in {**stored, **wanted} if stored.get(key) != wanted.get(key)]
    if differing:
        what = "; ".join(f"{key} {stored.get(key)}, asked {wanted.get(key)}" for key in differing)
        raise UserError(f"{old.path} was begun with another recording: {what}. Ask for the same one, or move the file")


def _copy(old: TraceReader, writer: TraceWriter, epoch: int) -> None:
    earlier = [sample for sample in old if sample.epoch < epoch]
    snapshots = [snapshot for snapshot in old.snapshots if snapshot.epoch < epoch]
    for batch in _batches(earlier, {snapshot.samples for snapshot in snapshots}):
        layers = {
            layer: {
                name: np.stack([old.dense(sample.position, layer, name) for sample in batch], axis=1)
                for name in old.variables(layer)
            }
            for layer in old.layers
        }
        columns = ([getattr(s, name) for s in batch] for name in ("data_index", "label", "prediction"))
        indices, labels, predictions = columns
        writer.append_batch(indices, labels, layers, predictions, batch[0].epoch)
        while snapshots and snapshots[0].samples <= len(writer):
            _copy_snapshot(old, writer, snapshots.pop(0).position)
    for snapshot in snapshots:
        _copy_snapshot(old, writer, snapshot.position)


def _copy_snapshot(old: TraceReader, writer: TraceWriter, position: int) -> None:
    parameters = {name: old.parameter(position, name) for name in old.header.parameters}
    writer.snapshot(old.snapshots[position].epoch, parameters)


def _batches(samples: list[Sample], ends: set[int]) -> Iterator[list[Sample]]:
    """Yield some samples of one epoch at a time, up to a snapshot."""
    batch: list[Sample] = []
    for sample in samples:
        if batch and (len(batch) == TOGETHER or sample.epoch != batch[0].epoch or sample.position in ends):
            yield batch
            batch = []
        batch.append(sample)
    if batch:
        yield batch
