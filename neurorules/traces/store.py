"""Reads a trace file; see `layout` for what stands in it."""

from __future__ import annotations

import logging
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import NamedTuple

import numpy as np

from neurorules.language.errors import UserError, unknown
from neurorules.traces.header import TraceHeader
from neurorules.traces.layout import (
    BLOCKS,
    COUNT,
    DATA,
    FORMAT,
    FORMAT_VERSION,
    PARAMETERS,
    SAMPLES,
    SPIKES,
    TAKEN,
    VARIABLES,
)
from neurorules.traces.mended import UNREADABLE, open_trace, whole_samples, whole_snapshots
from neurorules.traces.spike_codes import Block, decode

_log = logging.getLogger(__name__)


class Sample(NamedTuple):
    """One recorded sample: its place in the file and in the data set, its class, the network's answer, and the epochs
    that the network had learned (-1: not told)."""

    position: int
    data_index: int
    label: int
    prediction: int
    epoch: int = -1


class Snapshot(NamedTuple):
    """Parameters as they were: its place in the file, epochs done (-1: not told), and samples recorded before."""

    position: int
    epoch: int
    samples: int


class Events(NamedTuple):
    """Spikes of one layer in one sample, ordered by step: (E,) steps, neurons, and values (1 for a plain spike)."""

    t: np.ndarray
    neuron: np.ndarray
    value: np.ndarray


class _Decoded(NamedTuple):
    """A block of spikes: its first sample, how many, and its spikes' places and values."""

    first: int
    samples: int
    where: np.ndarray
    values: np.ndarray


class TraceReader:
    """A trace file, open to read. Use it as a context manager; iterate over it for its samples.

    A file that is cut off, or was never closed, serves the samples that are whole; where some are lost, one line of the
    log says so. A file that is being written serves those there when it was opened.

    Args:
        path: the file.

    `before_reading` is called before a sample is read, and may raise to end it.

    Raises:
        UserError: the file is missing, damaged, or not a trace.
    """

    def __init__(self, path: Path) -> None:
        if not path.is_file():
            raise UserError(f"there is no trace file {path}. Record one: neurorules record RUN --out {path.name}")
        self.path = path
        with self._damage_told():
            opened = open_trace(path)
        self._file = opened.file
        with self._closed_where_wrong(), self._damage_told():
            self._check_format()
            self.header = TraceHeader.from_text(self._file.attrs["header"])
            self.steps = int(self._file.attrs["steps"])
            recorded, kept = (int(number) for number in self._file[COUNT][:])
            many, snapshots = whole_samples(opened), whole_snapshots(opened)
            rows = self._file[SAMPLES][:many].tolist()
            self.samples = [Sample(position, *row) for position, row in enumerate(rows)]
            taken = self._file[TAKEN][:snapshots].tolist()
            self.snapshots = [Snapshot(position, *row) for position, row in enumerate(taken)]
        self.before_reading: Callable[[], None] | None = None
        self._blocks: dict[str, np.ndarray] = {}
        self._decoded: dict[str, _Decoded] = {}
        if many < recorded or snapshots < kept:
            self._tell_loss(recorded, kept)

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

    @property
    def layers(self) -> list[str]:
        """Layer names, input first."""
        return list(self.header.layers)

    def variables(self, layer: str) -> list[str]:
        """What was recorded of a layer; `S` stands for its spikes.

        Raises:
            UserError: no such layer; the nearest name is offered.
        """
        if layer not in self.header.layers:
            raise unknown(f"layer of {self.path.name}", layer, self.layers)
        with self._damage_told():
            names = str(self._file["layers"][layer].attrs[VARIABLES])
        return names.split(",") if names else []

    def events(self, sample: int, layer: str) -> Events:
        """Spikes of a layer in the sample at position `sample`, with their values.

        Raises:
            UserError: the layer or its spikes were not recorded, there is no such sample, or the file is damaged.
        """
        self._check_variable(layer, SPIKES)
        position, neurons = self._position(sample), self.header.neurons(layer)
        size = self.steps * neurons
        with self._damage_told():
            block = self._block(layer, position)
        start = (position - block.first) * size
        first, last = np.searchsorted(block.where, (start, start + size))
        t, neuron = np.divmod(block.where[first:last] - start, max(neurons, 1))
        return Events(t.astype(np.int32), neuron.astype(np.int32), block.values[first:last].copy())

    def spikes(self, sample: int, layer: str) -> tuple[np.ndarray, np.ndarray]:
        """Spikes of a layer in one sample: (E,) steps in [0, T) and (E,) neurons in [0, N); see `events`."""
        events = self.events(sample, layer)
        return events.t, events.neuron

    def count(self, layer: str) -> int:
        """How many spikes of a layer the whole trace holds; none of them is read."""
        self._check_variable(layer, SPIKES)
        with self._damage_told():
            rows = self._table(layer)
        inside = rows[rows[:, 1] + rows[:, 2] <= len(self)]
        return int(inside[:, 4].sum())

    def dense(self, sample: int, layer: str, variable: str) -> np.ndarray:
        """A variable of a layer in one sample, (T, N) float32; `S` is laid out from its events.

        Raises:
            UserError: it was not recorded, there is no such sample, or the file is damaged.
        """
        position = self._position(sample)
        if variable != SPIKES:
            self._check_variable(layer, variable)
            with self._damage_told():
                return np.asarray(self._file["layers"][layer][variable][position])
        spikes = np.zeros((self.steps, self.header.neurons(layer) if layer in self.layers else 0), np.float32)
        events = self.events(position, layer)
        spikes[events.t, events.neuron] = events.value
        return spikes

    def parameter(self, snapshot: int, name: str) -> np.ndarray:
        """A parameter in the snapshot at position `snapshot`, shaped as it is, float32.

        Raises:
            UserError: it was not kept, there is no such snapshot, or the file is damaged.
        """
        if name not in self.header.parameters:
            raise unknown(f"parameter of {self.path.name}", name, list(self.header.parameters))
        if not 0 <= snapshot < len(self.snapshots):
            raise UserError(f"{self.path.name} has no snapshot {snapshot}, it holds {len(self.snapshots)}, from 0 on")
        with self._damage_told():
            return np.asarray(self._file[f"{PARAMETERS}/{name}"][snapshot])

    def close(self) -> None:
        """Close the file; a second call does nothing."""
        self._file.close()

    def _check_format(self) -> None:
        if self._file.attrs.get("format") != FORMAT:
            raise UserError(f"{self.path} is an HDF5 file, but not a trace that neurorules recorded")
        version = int(self._file.attrs["format_version"])
        if version > FORMAT_VERSION:
            raise UserError(f"{self.path} was written by a later neurorules. Install a newer version to read it")
        if version < FORMAT_VERSION:
            raise UserError(
                f"{self.path} has format {version} of neurorules' traces, which this version does not read (it reads "
                f"{FORMAT_VERSION}). Record it again"
            )

    def _tell_loss(self, recorded: int, kept: int) -> None:
        if not self.samples and recorded:
            self.close()
            raise UserError(f"{self.path} is cut off before its first sample ended. Record it again")
        snapshots = f" and {len(self.snapshots)} of {kept} snapshots" if len(self.snapshots) < kept else ""
        last = f", up to sample {self.samples[-1].data_index} of the data" if self.samples else ""
        _log.warning(
            f"{self.path} is cut off: {len(self)} of {recorded} samples{snapshots} are whole{last}; using them"
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

    def _table(self, layer: str) -> np.ndarray:
        """The layer's blocks, and where each begins in a column of its own."""
        if not self._blocks:
            rows = np.asarray(self._file[BLOCKS][:])
            rows = np.column_stack([rows, np.concatenate([[0], rows[:, 6]])[: len(rows)]])
            self._blocks = {name: rows[rows[:, 0] == number] for number, name in enumerate(self.layers)}
        return self._blocks[layer]

    def _block(self, layer: str, position: int) -> _Decoded:
        """The block of a sample; the last one read of each layer is kept."""
        known = self._decoded.get(layer)
        if known is not None and known.first <= position < known.first + known.samples:
            return known
        table = self._table(layer)
        row = table[int(np.searchsorted(table[:, 1], position, side="right")) - 1]
        _, first, samples, code, spikes, marks, end, checksum, start = row.tolist()
        payload = self._file[DATA][start:end].tobytes()
        if zlib.crc32(payload) != checksum:
            raise OSError(f"checksum of the spikes of '{layer}', samples {first} to {first + samples - 1}")
        places = samples * self.steps * self.header.neurons(layer)
        self._decoded[layer] = _Decoded(first, samples, *decode(Block(code, spikes, marks, payload), places))
        return self._decoded[layer]

    @contextmanager
    def _damage_told(self) -> Iterator[None]:
        try:
            yield
        except UNREADABLE as error:
            raise UserError(f"{self.path} is damaged or not a trace file ({error}). Record it again") from None

    @contextmanager
    def _closed_where_wrong(self) -> Iterator[None]:
        try:
            yield
        except UserError:
            self._file.close()
            raise
