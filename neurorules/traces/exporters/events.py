"""Event arrays as Tonic uses them: NumPy structured arrays with the fields x, y, t (microseconds), p.

A folder with one `LAYER.npy` for each layer, with the spikes of all samples one after the other, and `LAYER.end.npy`,
with the position at which each sample's spikes end: `events = numpy.load("hidden1.npy", mmap_mode="r")[end[i -
1]:end[i]]` is the input of Tonic's transforms. A layer of shape (C, H, W) has p = channel, y = row, x = column; one of
shape (N,) has x = neuron, y = p = 0. The field `value` holds counts and grades. Other variables are
`LAYER.VARIABLE.npy`, (n, T, N); `samples.csv` has labels and predictions, `trace.json` the rest.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from pathlib import Path

import numpy as np

from neurorules.language.errors import UserError
from neurorules.traces.blocks import EventBlock, dense_blocks, event_blocks
from neurorules.traces.exporters._npy import GrowingNpy
from neurorules.traces.exporters._tables import dense_variables, write_header, write_samples
from neurorules.traces.exporters._time import middle_ms
from neurorules.traces.store import TraceReader
from neurorules.traces.writer import SPIKES

# Tonic's fields in Tonic's order; wide layers and deep ones need more than its 16 bits and 1 bit.
EVENT = np.dtype([("x", np.int32), ("y", np.int32), ("t", np.int64), ("p", np.int32), ("value", np.float32)])


@dataclass(frozen=True)
class EventArrays:
    """Writes spikes as arrays of events."""

    def __call__(self, reader: TraceReader, out: Path) -> list[Path]:
        """Write all of `reader` to the folder `out`.

        Raises:
            UserError: steps are too short to be distinguished in whole microseconds.
        """
        times = _microseconds(reader)
        out.mkdir()
        written = [write_samples(reader, out / "samples.csv"), write_header(reader, out / "trace.json")]
        for layer in reader.layers:
            if SPIKES in reader.variables(layer):
                written += _write_events(reader, layer, times, out)
            for variable in dense_variables(reader, layer):
                written.append(_write_dense(reader, layer, variable, out))
        return [out, *written]


def _microseconds(reader: TraceReader) -> np.ndarray:
    """The middles of the steps, (T,), rounded down: that of a step of 1 us lies between two microseconds."""
    times = np.floor(middle_ms(reader, reader.steps) * 1000).astype(np.int64)
    if np.any(np.floor(times / (reader.header.dt_ms * 1000)) != np.arange(reader.steps)):
        raise UserError(
            f"the steps of {reader.path.name} are {reader.header.dt_ms} ms long, and events are dated in whole "
            "microseconds, which cannot tell them apart. Export to parquet or npz"
        )
    return times


def _write_events(reader: TraceReader, layer: str, times: np.ndarray, folder: Path) -> list[Path]:
    paths = [folder / f"{layer}.npy", folder / f"{layer}.end.npy"]
    many = np.zeros(len(reader), np.int64)
    with GrowingNpy(paths[0], EVENT) as file:
        for block in event_blocks(reader, layer):
            many += np.bincount(block.sample, minlength=len(reader))
            file.append(_rows(block, times, reader.header.layers[layer]))
    np.save(paths[1], np.cumsum(many))
    return paths


def _rows(block: EventBlock, times: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    # All axes before the last two are counted as one.
    grid = {0: (1, 1, 1), 1: (1, 1, *shape), 2: (1, *shape)}.get(len(shape), (prod(shape[:-2]), *shape[-2:]))
    rows = np.empty(len(block.t), EVENT)
    rows["p"], rows["y"], rows["x"] = np.unravel_index(block.neuron, grid)
    rows["t"], rows["value"] = times[block.t], block.value
    return rows


def _write_dense(reader: TraceReader, layer: str, variable: str, folder: Path) -> Path:
    path = folder / f"{layer}.{variable}.npy"
    with GrowingNpy(path, np.float32, reader.dense(0, layer, variable).shape) as file:
        for block in dense_blocks(reader, layer, variable):
            file.append(block.values)
    return path


ENTRY = EventArrays
