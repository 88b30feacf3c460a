"""The reader of trace files; `layout` describes their content."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import NamedTuple

import h5py
import numpy as np

from neurorules.disk.hdf5 import UNREADABLE
from neurorules.language.errors import UserError, unknown
from neurorules.runs.outputs import TRACES
from neurorules.traces.header import TraceHeader
from neurorules.traces.layout import (
    COUNT,
    FORMAT,
    FORMAT_VERSION,
    OLDEST_VERSION,
    PARAMETERS,
    SAMPLES,
    SPIKES,
    TAKEN,
    VARIABLES,
)
from neurorules.traces.shown import as_html, as_line
from neurorules.traces.spikes import Events, SpikeBits
from neurorules.traces.spikes_of_format_2 import SpikeBlocks
from neurorules.traces.user_block import open_trace


class Sample(NamedTuple):
    """One recorded sample: its place in the file and in the data set, its class, the network's answer, and the epochs
    that the network had learned (-1 if unknown).
    """

    position: int
    data_index: int
    label: int
    prediction: int
    epoch: int = -1


class Snapshot(NamedTuple):
    """A snapshot of parameters: its place in the file, epochs done (-1 if unknown), and samples recorded before."""

    position: int
    epoch: int
    samples: int


class TraceReader:
    """A trace file that is open for reading; use it as a context manager, and iterate over it for its samples.

    From a file whose writer was killed, everything that was flushed can be read; from a file that is being written,
    everything that had been flushed when it was opened. A truncated file is refused.

    Args:
        path: the file.

    `before_reading` is called before a sample is read, and may raise to end it.

    Raises:
        UserError: the file is missing, damaged, or not a trace.
    """

    def __init__(self, path: Path) -> None:
        if path.is_dir():
            raise UserError(
                f"{path} is a folder, and a trace is a file in HDF5. Name its file, such as {path / TRACES}, or record "
                f"a run: neurorules record {path} --out {TRACES}"
            )
        if not path.is_file():
            raise UserError(f"there is no trace file {path}. Record one: neurorules record RUN --out {path.name}")
        self.path = path
        with self._damage_reported():
            self._file = open_trace(path)
        with self._closed_where_wrong(), self._damage_reported():
            self._check_format()
            self.header = TraceHeader.from_text(self._file.attrs["header"])
            self.steps = int(self._file.attrs["steps"])
            samples, snapshots = (int(number) for number in self._file[COUNT][:])
            rows = self._file[SAMPLES][:samples].tolist()
            self.samples = [Sample(position, *row) for position, row in enumerate(rows)]
            taken = self._file[TAKEN][:snapshots].tolist()
            self.snapshots = [Snapshot(position, *row) for position, row in enumerate(taken)]
        self.before_reading: Callable[[], None] | None = None
        self._spikes: dict[str, SpikeBits | SpikeBlocks] = {}
        self._opened: dict[str, h5py.Dataset] = {}

    def __enter__(self) -> TraceReader:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __len__(self) -> int:
        return len(self.samples)

    def __iter__(self) -> Iterator[Sample]:
        return iter(self.samples)

    def __repr__(self) -> str:
        return as_line(self)

    def _repr_html_(self) -> str:
        return as_html(self)

    @property
    def layers(self) -> list[str]:
        """The names of the layers, the input first."""
        return list(self.header.layers)

    def variables(self, layer: str) -> list[str]:
        """The variables that were recorded of a layer; `S` stands for its spikes.

        Raises:
            UserError: there is no such layer; the message offers the nearest name.
        """
        if layer not in self.header.layers:
            raise unknown(f"layer of {self.path.name}", layer, self.layers)
        with self._damage_reported():
            names = str(self._file["layers"][layer].attrs[VARIABLES])
        return names.split(",") if names else []

    def events(self, sample: int, layer: str) -> Events:
        """Spikes of a layer in one sample, with their values.

        Args:
            sample: its position in the trace.
            layer: name of the layer.

        Returns:
            Steps, neurons and values, (E,) each, ordered by step.

        Raises:
            UserError: the layer or its spikes were not recorded, there is no such sample, or the file is damaged.
        """
        self._check_variable(layer, SPIKES)
        position = self._position(sample)
        with self._damage_reported():
            return self._spikes_of(layer).events(position)

    def spikes(self, sample: int, layer: str) -> tuple[np.ndarray, np.ndarray]:
        """Spikes of a layer in one sample, without their values.

        Args:
            sample, layer: as in `events`, which lists the errors.

        Returns:
            Steps in [0, T) and neurons in [0, N), (E,) each.
        """
        events = self.events(sample, layer)
        return events.t, events.neuron

    def count(self, layer: str) -> int:
        """The number of spikes of a layer in the whole trace."""
        self._check_variable(layer, SPIKES)
        with self._damage_reported():
            return self._spikes_of(layer).count(len(self))

    def dense(self, sample: int, layer: str, variable: str) -> np.ndarray:
        """A variable of a layer in one sample; `S` is computed from its spikes.

        Args:
            sample: its position in the trace.
            layer: name of the layer or connection.
            variable: its name.

        Returns:
            The values, (T, N) float32.

        Raises:
            UserError: it was not recorded, there is no such sample, or the file is damaged.
        """
        position = self._position(sample)
        if variable != SPIKES:
            self._check_variable(layer, variable)
            with self._damage_reported():
                return np.asarray(self._data(f"layers/{layer}/{variable}")[position])
        spikes = np.zeros((self.steps, self.header.neurons(layer) if layer in self.layers else 0), np.float32)
        events = self.events(position, layer)
        spikes[events.t, events.neuron] = events.value
        return spikes

    def parameter(self, snapshot: int, name: str) -> np.ndarray:
        """A parameter in one snapshot.

        Args:
            snapshot: its position in the trace.
            name: the name of the parameter.

        Returns:
            The values, shaped like the parameter, float32.

        Raises:
            UserError: it was not recorded, there is no such snapshot, or the file is damaged.
        """
        if name not in self.header.parameters:
            raise unknown(f"parameter of {self.path.name}", name, list(self.header.parameters))
        if not 0 <= snapshot < len(self.snapshots):
            raise UserError(f"{self.path.name} has no snapshot {snapshot}, it holds {len(self.snapshots)}, from 0 on")
        with self._damage_reported():
            return np.asarray(self._data(f"{PARAMETERS}/{name}")[snapshot])

    def close(self) -> None:
        """Close the file; a second call does nothing."""
        self._file.close()

    def _check_format(self) -> None:
        if self._file.attrs.get("format") != FORMAT:
            raise UserError(f"{self.path} is an HDF5 file, but not a trace that neurorules recorded")
        version = int(self._file.attrs["format_version"])
        if version > FORMAT_VERSION:
            raise UserError(f"{self.path} was written by a later neurorules. Install a newer version to read it")
        if version < OLDEST_VERSION:
            raise UserError(
                f"{self.path} has format {version} of neurorules' traces, which this version does not read (it reads "
                f"{OLDEST_VERSION} and {FORMAT_VERSION}). Record it again"
            )

    def _position(self, sample: int) -> int:
        if self.before_reading is not None:
            self.before_reading()
        if not 0 <= sample < len(self):
            raise UserError(f"{self.path.name} has no sample {sample}, it holds {len(self)}, counted from 0")
        return sample

    def _check_variable(self, layer: str, variable: str) -> None:
        if variable not in self.variables(layer):
            raise unknown(f"variable of layer '{layer}' in {self.path.name}", variable, self.variables(layer))

    def _data(self, name: str) -> h5py.Dataset:
        """Open a data set of the file, once."""
        if name not in self._opened:
            self._opened[name] = self._file[name]
        return self._opened[name]

    def _spikes_of(self, layer: str) -> SpikeBits | SpikeBlocks:
        """The reader of a layer's spikes, by the format of the file."""
        if layer not in self._spikes:
            number, neurons = self.layers.index(layer), self.header.neurons(layer)
            if self._file.attrs["format_version"] == FORMAT_VERSION:
                self._spikes[layer] = SpikeBits(self._file[f"spikes/{layer}"], self.steps, neurons)
            else:
                self._spikes[layer] = SpikeBlocks(self._file, number, self.steps, neurons)
        return self._spikes[layer]

    @contextmanager
    def _damage_reported(self) -> Iterator[None]:
        """Raise an error of one line if the block finds that the file is damaged."""
        try:
            yield
        except UNREADABLE as error:
            raise UserError(f"{self.path} is damaged or not a trace file ({error}). Record it again") from None

    @contextmanager
    def _closed_where_wrong(self) -> Iterator[None]:
        """Close the file if the block raises an error."""
        try:
            yield
        except UserError:
            self._file.close()
            raise
