"""A trace as an NWB file; this module is imported only if pynwb is installed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from uuid import NAMESPACE_URL, uuid5

import numpy as np
from hdmf.common import ElementIdentifiers, VectorData, VectorIndex
from pynwb import NWBHDF5IO, NWBFile, TimeSeries
from pynwb.file import Subject
from pynwb.misc import Units

from neurorules.traces.blocks import dense_blocks
from neurorules.traces.exporters._by_neuron import Sizes, sizes, trains
from neurorules.traces.exporters._hdf5 import hdf5_file
from neurorules.traces.exporters._nwb_stream import streamed
from neurorules.traces.exporters._tables import dense_variables, header_text, sample_columns
from neurorules.traces.exporters._time import Axis, seconds
from neurorules.traces.exporters._units import NWB, THRESHOLD
from neurorules.traces.store import TraceReader
from neurorules.traces.writer import SPIKES

# NWB Inspector reports a series that is wider than long as transposed. A population that is wider than its recording is
# split into narrower series, up to this number of them; above it, the report is the smaller problem.
MOST_PARTS = 16

TRIALS = {
    "sample": "place in the trace",
    "index": "place in the data set",
    "label": "class, -1 if unknown",
    "prediction": "class that the network answered, -1 if unknown",
    "epoch": "epochs that the network had learned, -1 if not told",
}

# NCBI's entry for no particular species; archives require an entry.
UNIDENTIFIED = "http://purl.obolibrary.org/obo/NCBITaxon_32644"


def write(reader: TraceReader, path: Path, volts: float, gap: int) -> None:
    """Write all of a trace; see `nwb` for the layout.

    Args:
        reader: the trace.
        path: the file.
        volts: the distance from rest to threshold.
        gap: steps between samples.
    """
    axis = Axis(reader.steps, gap, seconds(reader))
    file = _new_file(reader)
    _add_trials(reader, file, axis)
    units = _units(reader, axis)
    if units is not None:
        file.units = units
    for layer in reader.layers:
        for variable in dense_variables(reader, layer):
            for series in _series(reader, layer, variable, axis, volts):
                file.add_acquisition(series)
    with hdf5_file(path, reader) as opened, NWBHDF5IO(file=opened, mode="w") as io:
        io.write(file)


def _new_file(reader: TraceReader) -> NWBFile:
    header = header_text(reader)
    # A trace has no date except for that of its file.
    recorded = datetime.fromtimestamp(reader.path.stat().st_mtime, tz=UTC)
    return NWBFile(
        session_description=f"Spiking network trained with the rule {reader.header.rule}, recorded by neurorules",
        identifier=str(uuid5(NAMESPACE_URL, header + recorded.isoformat())),
        session_start_time=recorded,
        experiment_description="A simulation: every unit is a model neuron, every trial a sample of the data set.",
        notes=header,
        subject=Subject(
            subject_id="simulation",
            description="A simulated network: species, age and sex are what the format asks for, and mean nothing.",
            species=UNIDENTIFIED,
            age="P0D",
            sex="U",
        ),
    )


def _add_trials(reader: TraceReader, file: NWBFile, axis: Axis) -> None:
    if not len(reader):
        return
    columns = {"sample": np.arange(len(reader)), **sample_columns(reader)}
    for name in columns:
        file.add_trial_column(name, TRIALS.get(name, name))
    for name in ("label", "prediction"):
        file.add_trial_column(f"{name}_name", f"name of the class in column {name}")
    for row, (start, stop) in enumerate(axis.intervals(len(reader)).tolist()):
        values = {name: int(column[row]) for name, column in columns.items()}
        names = {f"{name}_name": reader.header.label_name(values[name]) for name in ("label", "prediction")}
        file.add_trial(start_time=start, stop_time=stop, **values, **names)


def _units(reader: TraceReader, axis: Axis) -> Units | None:
    sizes_of = {layer: sizes(reader, layer) for layer in reader.layers if SPIKES in reader.variables(layer)}
    if not sizes_of:
        return None
    counts = np.concatenate([size.counts for size in sizes_of.values()])
    observed = axis.observed(len(reader))
    stretches = np.full(len(counts), len(observed))
    columns = [
        *_ragged(
            "spike_times",
            "Times of spikes in s. Times within one step of length `resolution` are one count, spread evenly.",
            _columns(reader, sizes_of, axis, "times"),
            counts,
        ),
        *_ragged("obs_intervals", "When the network ran, in s.", iter([observed] * len(counts)), stretches, (2,)),
        VectorData(
            name="layer",
            description="The neuron's layer.",
            data=[layer for layer, size in sizes_of.items() for _ in size.counts],
        ),
        VectorData(
            name="neuron",
            description="The neuron's place in its layer, counted row by row.",
            data=np.concatenate([np.arange(len(size.counts)) for size in sizes_of.values()]),
        ),
    ]
    if not all(size.plain for size in sizes_of.values()):
        values = _columns(reader, sizes_of, axis, "values")
        columns += _ragged("spike_values", "The value of each spike: 1, or a grade.", values, counts)
    return Units(
        name="units",
        description="One unit a neuron.",
        id=ElementIdentifiers(name="id", data=np.arange(len(counts))),
        columns=columns,
        colnames=[column.name for column in columns if not isinstance(column, VectorIndex)],
        resolution=axis.dt,
    )


def _ragged(
    name: str, description: str, blocks: Iterator[np.ndarray], counts: np.ndarray, row: tuple[int, ...] = ()
) -> list[VectorData]:
    """A column of several values for each unit, after its index: hdmf asks no length of a stream whose index it has
    met.
    """
    data = VectorData(name=name, description=description, data=streamed(blocks, (int(counts.sum()), *row), np.float64))
    return [VectorIndex(name=f"{name}_index", target=data, data=np.cumsum(counts)), data]


def _columns(reader: TraceReader, sizes_of: dict[str, Sizes], axis: Axis, which: str) -> Iterator[np.ndarray]:
    for layer, size in sizes_of.items():
        for block in trains(reader, layer, size.counts, axis):
            yield block.times if which == "times" else block.values


def _series(reader: TraceReader, layer: str, variable: str, axis: Axis, volts: float) -> Iterator[TimeSeries]:
    rows, neurons = reader.dense(0, layer, variable).shape
    length = len(reader) * rows
    parts = -(-neurons // length)
    width = neurons if parts > MOST_PARTS else length
    unit = reader.header.units.get(variable, "")
    # In the data, not as a `conversion`: Neo only knows factors of a thousand. Doubles represent each float32 exactly.
    scale = volts if unit == THRESHOLD else 1.0
    step = axis.dt * axis.steps / rows
    if axis.gap:
        middles = axis.intervals(len(reader))[:, :1] + (np.arange(rows) + 0.5) * step
        when = {"timestamps": middles.ravel()}
    else:
        when = {"rate": 1 / step, "starting_time": 0.5 * step}
    for first in range(0, neurons, width):
        last = min(first + width, neurons)
        about = {"layer": layer, "variable": variable, "first_neuron": first, "unit": unit, "scale": scale}
        about["rows_per_sample"] = rows
        yield TimeSeries(
            name=f"{layer}_{variable}" if last - first == neurons else f"{layer}_{variable}_from_{first}",
            description=f"'{variable}' of neurons {first} to {last - 1} of layer '{layer}', one column per neuron.",
            # Comments that are JSON from the first letter on are Neo's own to Neo.
            comments=f"neurorules: {json.dumps(about)}",
            data=streamed(_rows(reader, layer, variable, first, last, scale), (length, last - first), np.float64),
            unit=NWB.get(unit, unit),
            **when,
        )


def _rows(reader: TraceReader, layer: str, variable: str, first: int, last: int, scale: float) -> Iterator[np.ndarray]:
    for block in dense_blocks(reader, layer, variable):
        yield block.values[:, :, first:last].astype(np.float64).reshape(-1, last - first) * scale
