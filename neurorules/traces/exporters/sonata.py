"""SONATA, the format of the Blue Brain Project and the Allen Institute: a folder that libsonata and bmtk read.

`spikes.h5` has one population per layer: timestamps in ms, node_ids, sorted by time. Each other variable is a report,
`v_report.h5`, one row per step. Samples follow each other: sample i is the time from i T dt to (i + 1) T dt. Data that
SONATA has no name for are stored in addition: `/spikes/LAYER/values` (counts and grades), `samples.csv` (labels,
predictions) and `trace.json`.

Source: SONATA developer guide, output file formats (Dai et al. 2020, doi:10.1371/journal.pcbi.1007696).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np

from neurorules.traces.blocks import dense_blocks, event_blocks
from neurorules.traces.exporters._hdf5 import hdf5_file
from neurorules.traces.exporters._tables import dense_variables, write_header, write_samples
from neurorules.traces.exporters._time import Axis
from neurorules.traces.store import TraceReader
from neurorules.traces.writer import SPIKES

# The attributes by which a reader recognises a SONATA file, and the possible orders of spikes.
MAGIC, VERSION = np.uint32(0x0A7A), np.array([0, 1], np.uint32)
SORTING = h5py.enum_dtype({"none": 0, "by_id": 1, "by_time": 2}, basetype="u1")

# Files are not compressed, since libsonata 0.2.2 includes an HDF5 without filters.
CHUNK = 1 << 16


@dataclass(frozen=True)
class Sonata:
    """Writes spikes and reports in SONATA's format."""

    def __call__(self, reader: TraceReader, out: Path) -> list[Path]:
        """Write all of `reader` to the folder `out`."""
        axis = Axis(reader.steps, 0, reader.header.dt_ms)
        reports = sorted({name for layer in reader.layers for name in dense_variables(reader, layer)})
        out.mkdir()
        written = [write_samples(reader, out / "samples.csv"), write_header(reader, out / "trace.json")]
        with hdf5_file(out / "spikes.h5", reader) as file:
            _mark(file)
            spikes = file.create_group("spikes")
            for layer in reader.layers:
                if SPIKES in reader.variables(layer):
                    _write_spikes(reader, layer, axis, spikes.create_group(layer))
        for variable in reports:
            written.append(out / f"{variable}_report.h5")
            with hdf5_file(written[-1], reader) as file:
                _mark(file)
                report = file.create_group("report")
                for layer in reader.layers:
                    if variable in reader.variables(layer):
                        _write_report(reader, layer, variable, report.create_group(layer))
        return [out, out / "spikes.h5", *written]


def _mark(file: h5py.File) -> None:
    file.attrs["magic"], file.attrs["version"] = MAGIC, VERSION


def _write_spikes(reader: TraceReader, layer: str, axis: Axis, group: h5py.Group) -> None:
    group.attrs.create("sorting", 2, dtype=SORTING)
    columns = {
        name: group.create_dataset(name, (0,), kind, maxshape=(None,), chunks=(CHUNK,))
        for name, kind in (("timestamps", np.float64), ("node_ids", np.uint64), ("values", np.float32))
    }
    columns["timestamps"].attrs["units"] = "ms"
    end = 0
    for block in event_blocks(reader, layer):
        times = (axis.first(block.sample) + block.t + 0.5) * axis.dt
        for name, rows in (("timestamps", times), ("node_ids", block.neuron), ("values", block.value)):
            columns[name].resize(end + len(rows), axis=0)
            columns[name][end:] = rows
        end += len(times)


def _write_report(reader: TraceReader, layer: str, variable: str, group: h5py.Group) -> None:
    rows, neurons = reader.dense(0, layer, variable).shape
    step = reader.header.dt_ms * reader.steps / rows
    data = group.create_dataset("data", (len(reader) * rows, neurons), np.float32)
    data.attrs["units"] = reader.header.units.get(variable, "1")
    for block in dense_blocks(reader, layer, variable):
        first = block.first * rows
        data[first : first + len(block.values) * rows] = block.values.reshape(-1, neurons)
    mapping = group.create_group("mapping")
    mapping["node_ids"] = np.arange(neurons, dtype=np.uint64)
    mapping["node_ids"].attrs["sorted"] = np.uint8(1)
    mapping["index_pointers"] = np.arange(neurons + 1, dtype=np.uint64)
    mapping["element_ids"] = np.zeros(neurons, np.uint32)
    mapping["time"] = np.array([0.5 * step, (len(reader) * rows + 0.5) * step, step])
    mapping["time"].attrs["units"] = "ms"


ENTRY = Sonata
