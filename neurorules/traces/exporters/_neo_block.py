"""A trace as Neo objects; this module is imported only if neo and nixio are installed."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import h5py
import neo
import nixio
import numpy as np
import quantities as pq

from neurorules.disk.hdf5 import PatientFile
from neurorules.runs.progress import track
from neurorules.traces.exporters._hdf5 import patient_file
from neurorules.traces.exporters._nix_objects import QuickNixIO
from neurorules.traces.exporters._tables import dense_variables, header_text, sample_columns
from neurorules.traces.exporters._units import QUANTITIES, THRESHOLD
from neurorules.traces.store import Events, Sample, TraceReader
from neurorules.traces.writer import SPIKES

MANY = 50_000
"""Number of spike trains whose export takes some minutes."""


def write(reader: TraceReader, path: Path, millivolts: float, by_layer: bool) -> None:
    """Write all of a trace; see `nix` for the layout.

    Args:
        reader: the trace.
        path: the file.
        millivolts: the distance from rest to threshold.
        by_layer: whether a layer's spikes are one train.
    """
    spiking = [layer for layer in reader.layers if SPIKES in reader.variables(layer)]
    objects = len(reader) * sum(reader.header.neurons(layer) for layer in spiking)
    if objects > MANY and not by_layer:
        logging.getLogger("neurorules").warning(
            f"{objects} spike trains: NIX takes some 0.002 s for each. Quicker: --to nix:trains=layer"
        )
    with patient_file(path, reader) as file, _opening(file):
        io = QuickNixIO(path, mode="ow")
        try:
            io.write_block(_Recording(reader, millivolts, by_layer))
        finally:
            io.close()


@contextmanager
def _opening(file: PatientFile) -> Iterator[None]:
    """Inside the block, nixio, which otherwise opens files only by name, writes into an open file."""

    def access() -> h5py.h5p.PropFAID:
        properties = h5py.h5p.create(h5py.h5p.FILE_ACCESS)
        properties.set_fileobj_driver(h5py.h5fd.fileobj_driver, file)
        return properties

    before = nixio.file.make_fapl
    nixio.file.make_fapl = access
    try:
        yield
    finally:
        nixio.file.make_fapl = before


class _Recording(neo.Block):
    """A block whose segments are created one at a time when they are read, so that a recording need not fit in
    memory.
    """

    def __init__(self, reader: TraceReader, millivolts: float, by_layer: bool) -> None:
        super().__init__(name="neurorules", description=f"rule {reader.header.rule}", header=header_text(reader))
        self._reader, self._millivolts, self._by_layer = reader, millivolts, by_layer

    @property
    def segments(self) -> Iterator[neo.Segment]:
        """Yield Neo segments, one per sample."""
        reader = self._reader
        columns = sample_columns(reader)
        for sample in track(reader.samples, "sample"):
            about = {name: int(column[sample.position]) for name, column in columns.items()}
            # `index` is a field of Neo's own, which NIX does not keep.
            about["data_index"] = about.pop("index")
            names = {f"{key}_name": reader.header.label_name(about[key]) for key in ("label", "prediction")}
            segment = neo.Segment(name=f"sample {sample.position}", **about, **names)
            for layer in reader.layers:
                if SPIKES in reader.variables(layer):
                    segment.spiketrains.extend(self._trains(sample, layer))
                for variable in dense_variables(reader, layer):
                    segment.analogsignals.append(self._signal(sample, layer, variable))
            yield segment

    def _trains(self, sample: Sample, layer: str) -> list[neo.SpikeTrain]:
        events = self._reader.events(sample.position, layer)
        if self._by_layer:
            return [self._train(layer, events, {"layer": layer}, {"neuron": events.neuron})]
        neurons = self._reader.header.neurons(layer)
        order = np.argsort(events.neuron, kind="stable")
        cuts = np.cumsum(np.bincount(events.neuron, minlength=neurons))[:-1]
        return [
            self._train(f"{layer} {neuron}", Events(*(c[rows] for c in events)), {"layer": layer, "neuron": neuron}, {})
            for neuron, rows in enumerate(np.split(order, cuts))
        ]

    def _train(
        self, name: str, events: Events, about: dict[str, str | int], columns: dict[str, np.ndarray]
    ) -> neo.SpikeTrain:
        if np.any(events.value != 1):
            columns = {**columns, "value": events.value.astype(np.float64)}
        dt = self._reader.header.dt_ms
        return neo.SpikeTrain(
            (events.t + 0.5) * dt,
            units=pq.ms,
            t_start=0 * pq.ms,
            t_stop=self._reader.steps * dt * pq.ms,
            name=name,
            array_annotations={key: column for key, column in columns.items() if len(column)},
            **about,
        )

    def _signal(self, sample: Sample, layer: str, variable: str) -> neo.AnalogSignal:
        values = self._reader.dense(sample.position, layer, variable).astype(np.float64)
        unit = self._reader.header.units.get(variable, "")
        step = self._reader.header.dt_ms * self._reader.steps / len(values)
        return neo.AnalogSignal(
            values * self._millivolts if unit == THRESHOLD else values,
            units=pq.unit_registry[QUANTITIES[unit]] if unit in QUANTITIES else pq.dimensionless,
            sampling_period=step * pq.ms,
            t_start=0.5 * step * pq.ms,
            name=f"{layer} {variable}",
            layer=layer,
            variable=variable,
        )
