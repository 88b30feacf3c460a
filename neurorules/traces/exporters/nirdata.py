"""NIRData: the Neuromorphic Intermediate Representation's own format for recordings, `nir.read_data(path)`.

Each layer is a node. The observable `S` is `EventData`, or `ValuedEventData` if a spike has another value than 1; all
other variables are `TimeGriddedData` (n, T, N). Times are in seconds: `events.to_time_gridded(dt)` lays the spikes out.
The groups `samples` and `trace` beside the nodes, which nir ignores, hold labels, predictions and the trace's header.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np

from neurorules.traces.blocks import dense_blocks, event_blocks
from neurorules.traces.exporters._hdf5 import hdf5_file
from neurorules.traces.exporters._tables import dense_variables, header_text, sample_columns
from neurorules.traces.exporters._time import seconds
from neurorules.traces.store import TraceReader
from neurorules.traces.writer import SPIKES


@dataclass(frozen=True)
class NirData:
    """Writes traces as NIRData files. Source: nir 1.0.8, `write_data`, whose layout this is, written block by block."""

    def __call__(self, reader: TraceReader, out: Path) -> list[Path]:
        """Write all of `reader` to the file `out`."""
        with hdf5_file(out, reader) as file:
            file.attrs["__type__"] = "NIRGraphData"
            for name, column in sample_columns(reader).items():
                file[f"samples/{name}"] = column
            trace = file.create_group("trace")
            trace.attrs["dt"] = seconds(reader)
            trace["header"] = header_text(reader)
            nodes = file.create_group("nodes")
            for layer in reader.layers:
                node = nodes.create_group(layer)
                node.attrs["__type__"] = "NIRNodeData"
                observables = node.create_group("observables")
                if SPIKES in reader.variables(layer):
                    _write_events(reader, layer, observables.create_group(SPIKES))
                for variable in dense_variables(reader, layer):
                    _write_dense(reader, layer, variable, observables.create_group(variable))
        return [out]


def _write_events(reader: TraceReader, layer: str, group: h5py.Group) -> None:
    """Write one row per sample, as long as the longest one; shorter ones are padded with neuron -1 and time inf."""
    many, plain = np.zeros(len(reader), np.int64), True
    for block in event_blocks(reader, layer):
        many += np.bincount(block.sample, minlength=len(reader))
        plain = plain and bool(np.all(block.value == 1))
    dt = seconds(reader)
    group.attrs.update(
        __type__="EventData" if plain else "ValuedEventData",
        n_neurons=reader.header.neurons(layer),
        t_max=_duration(reader.steps, dt),
    )
    columns = {"idx": (np.int64, -1), "time": (np.float64, np.inf)} | ({} if plain else {"value": (np.float32, 0)})
    shape = (len(reader), int(many.max(initial=0)))
    storage = {"chunks": (1, min(shape[1], 1 << 16)), "compression": "gzip", "shuffle": True} if min(shape) else {}
    data = {name: group.create_dataset(name, shape, kind, fillvalue=fill, **storage)
            for name, (kind, fill) in columns.items()}  # fmt: skip
    filled = np.zeros(len(reader), np.int64)
    for block in event_blocks(reader, layer):
        arrays = {"idx": block.neuron, "time": (block.t + 0.5) * dt, "value": block.value}
        samples, begins = np.unique(block.sample, return_index=True)
        for sample, first, last in zip(samples, begins, [*begins[1:], len(block.t)], strict=True):
            at = filled[sample]
            for name, column in data.items():
                column[sample, at : at + last - first] = arrays[name][first:last]
            filled[sample] += last - first


def _write_dense(reader: TraceReader, layer: str, variable: str, group: h5py.Group) -> None:
    row = reader.dense(0, layer, variable).shape
    group.attrs.update(__type__="TimeGriddedData", dt=seconds(reader) * reader.steps / row[0])
    storage = {"chunks": (1, *row), "compression": "gzip", "shuffle": True} if min(row) else {}
    data = group.create_dataset("data", (len(reader), *row), np.float32, **storage)
    for block in dense_blocks(reader, layer, variable):
        data[block.first : block.first + len(block.values)] = block.values


def _duration(steps: int, dt: float) -> float:
    """The duration T dt, rounded so that nir's int(t_max / dt) is T."""
    duration = steps * dt
    while int(duration / dt) < steps:
        duration = float(np.nextafter(duration, np.inf))
    return duration


ENTRY = NirData
