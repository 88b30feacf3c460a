"""The writer of trace files, which appends batches of samples; `layout` describes the content."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import TracebackType

import h5py
import numpy as np

from neurorules.disk.failures import cannot_write
from neurorules.disk.hdf5 import drop, hdf5_writing
from neurorules.disk.lock import owned_file
from neurorules.disk.space import reserve
from neurorules.runs.outputs import A_TRACE, check_kind
from neurorules.traces.header import TraceHeader
from neurorules.traces.layout import (
    BITS,
    COUNT,
    EVENTS,
    FORMAT,
    FORMAT_VERSION,
    PARAMETERS,
    SAMPLE_COLUMNS,
    SAMPLES,
    SNAPSHOT_COLUMNS,
    SPIKES,
    TAKEN,
    VALUES,
    VARIABLES,
    growing,
    put,
    whole_numbers,
)
from neurorules.traces.spikes import lay_out_spikes, put_spikes
from neurorules.traces.user_block import CLOSED, OPEN, USER_BLOCK, mark

Layers = Mapping[str, Mapping[str, np.ndarray]]

MARGIN, A_SET, A_ROW = 1 << 16, 1 << 12, 1 << 6
"""The number of bytes that HDF5 may need to describe data: for a write, for a new data set, and for a row."""
A_PLACE = 5
"""The number of bytes that a number may need: a float32 that cannot be compressed, or a spike's bit and its value."""


class TraceWriter:
    """An open trace file for writing. Use it as a context manager.

    The file is written in HDF5's single-writer mode, so that a process that is killed leaves all samples up to the last
    `flush`. An existing trace is kept until the new one is closed. While it writes, the process owns the file.

    Args:
        path: the new file; an existing trace is replaced.
        header: the description that the file contains.
        flush_seconds: the time for which appended samples may stay in memory; with 0, each `append` ends with a flush.

    Raises:
        UserError: the file cannot be created, is being written, or something else has its name.
    """

    def __init__(self, path: Path, header: TraceHeader, flush_seconds: float = 0.0) -> None:
        self.header, self._flush_seconds, self._flushed = header, flush_seconds, time.monotonic()
        self.path, self._held = path, ExitStack()
        try:
            self._held.enter_context(owned_file(path))
            check_kind(path, A_TRACE)
            self._place = path.with_name(f".{path.stem}.{os.getpid()}.tmp{path.suffix}") if path.exists() else path
            self._name = self._place  # by which HDF5 knows it
            # Version 1.10 of the format is the oldest that knows the single-writer mode. Without a cache of chunks the
            # memory that is needed does not grow with the number of data sets.
            try:
                options = {"libver": ("v110", "v110"), "rdcc_nbytes": 0, "userblock_size": USER_BLOCK}
                self._file = h5py.File(self._place, "w", **options)
                mark(self._file.id.get_vfd_handle(), OPEN, 0)
            except OSError:
                self._place.unlink(missing_ok=True)
                raise
        except BaseException as error:
            self._held.close()
            if isinstance(error, OSError):
                raise cannot_write(f"the trace {path}", error) from None
            raise
        self.steps: int | None = None
        self._variables: dict[str, list[str]] = {}
        self._count, self._room, self._readable = [0, 0], 0, False  # readable: a sample or a snapshot is on the disk
        self._opened: dict[str, h5py.Dataset] = {}

    def __enter__(self) -> TraceWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None and self.replaces:
            self.discard()
        else:
            self.close()

    def __len__(self) -> int:
        return self._count[0]

    @property
    def replaces(self) -> bool:
        """Whether there is an older file, which this one replaces when it is closed, and not where an error ends it."""
        return self._place != self.path

    def append(self, sample_index: int, label: int, layers: Layers, prediction: int = -1, epoch: int = -1) -> None:
        """Append one sample to the file.

        Args:
            sample_index, label, prediction, epoch: as in `append_batch`, for one sample.
            layers: layer -> variable -> array (T, N) or (T, *shape).
        """
        batch = {layer: {n: np.asarray(x)[:, None] for n, x in own.items()} for layer, own in layers.items()}
        self.append_batch([sample_index], [label], batch, [prediction], epoch)

    def append_batch(
        self, indices: Sequence[int] | np.ndarray, labels: Sequence[int] | np.ndarray, layers: Layers,
        predictions: Sequence[int] | np.ndarray | None = None, epoch: int = -1,
    ) -> None:  # fmt: skip
        """Append the samples of a batch to the file.

        Args:
            indices: their places in the data set, (B,).
            labels: their classes, or -1.
            layers: layer -> variable -> array (T, B, N) or (T, B, *shape); `S` is stored as spikes, everything else
                densely.
            predictions: the predicted classes, or -1.
            epoch: epochs that the network has learned, or -1.

        Raises:
            ValueError: layers, variables or T differ from those of the first samples, or a shape from the header.
        """
        size = len(indices)
        rows = {a: {name: self._flat(a, name, x, size) for name, x in own.items()} for a, own in layers.items()}
        if self.steps is None:
            self._begin(rows)
        self._check(rows)
        classes = np.full(size, -1) if predictions is None else predictions
        columns = np.stack([np.asarray(c, np.int64) for c in (indices, labels, classes, np.full(size, epoch))], axis=1)
        sets = 2 * sum(map(len, rows.values())) + 1
        places = sum(x.size for own in rows.values() for x in own.values())
        with self._writing(places * A_PLACE + columns.nbytes + size * sets * A_ROW):
            self._write(columns, rows)

    def snapshot(self, epoch: int, parameters: Mapping[str, np.ndarray]) -> None:
        """Store a snapshot of all parameters that the header declares.

        Args:
            epoch: epochs done, or -1.
            parameters: by name, shaped as declared.
        """
        if self.steps is None:
            self._begin({})
        before = self._count[1]
        with self._writing(sum(np.asarray(parameters[name]).nbytes for name in self.header.parameters)):
            put(self._data(TAKEN), before, np.array([[epoch, self._count[0]]]))
            for name in self.header.parameters:
                put(self._data(f"{PARAMETERS}/{name}"), before, np.asarray(parameters[name])[None])
            self._count[1] += 1
            self._flush()

    def flush(self) -> None:
        """Flush everything to the disk: first the data, and then the number of samples."""
        with self._writing(0):
            self._flush()

    def close(self) -> None:
        """Close the file and move it to its final path; a second call does nothing.

        Raises:
            OSError: the file cannot be written.
        """
        if not self._file:
            self._held.close()
            return
        if self.steps is None:
            self._begin({})
        with self._writing(0):
            self._flush()
            end = self._file.id.get_filesize()
            self._file.close()
            with self._place.open("r+b") as file:
                file.truncate(end)
                mark(file.fileno(), CLOSED, end)
            self.take_place()
        self._held.close()

    def take_place(self) -> None:
        """Move the open file to its final path, and replace an older file there."""
        if self._place != self.path:
            os.replace(self._place, self.path)
            self._place = self.path

    def discard(self) -> None:
        """Close the file and remove it; an older file at its path is kept."""
        drop(self._file, self._name)
        self._place.unlink(missing_ok=True)
        self._held.close()

    @contextmanager
    def _writing(self, size: int) -> Iterator[None]:
        """Reserve space for some bytes; without it the file is closed, or removed if no sample in it can be read."""
        try:
            with hdf5_writing(self._name):
                need = self._file.id.get_filesize() + size + MARGIN
                if need > self._room:
                    reserve(self._file.id.get_vfd_handle(), self._room, need - self._room, self._place)
                    self._room = need
                yield
        except OSError:
            if self._place != self.path or not self._readable:
                self._place.unlink(missing_ok=True)
            self._held.close()
            raise

    def _flush(self) -> None:
        if self.steps is not None:
            self._file.flush()
            self._data(COUNT)[:] = self._count
            self._file.flush()
            mark(self._file.id.get_vfd_handle(), OPEN, self._file.id.get_filesize())
            self._readable = any(self._count)
        self._flushed = time.monotonic()

    def _flat(self, layer: str, name: str, array: np.ndarray, size: int) -> np.ndarray:
        if layer not in self.header.layers:
            raise ValueError(f"layer '{layer}' is not declared in the header: {', '.join(self.header.layers)}")
        rows = np.asarray(array)
        rows = rows.reshape(len(rows), size, -1)
        if rows.shape[2] != self.header.neurons(layer):
            raise ValueError(f"'{name}' of '{layer}' has {rows.shape[2]} neurons, not {self.header.neurons(layer)}")
        return rows

    def _check(self, rows: Layers) -> None:
        variables = {layer: sorted(arrays) for layer, arrays in rows.items()}
        if variables != self._variables:
            raise ValueError(f"the sample holds {variables}, the first one held {self._variables}")
        for layer, arrays in rows.items():
            for name, array in arrays.items():
                if len(array) != self.steps:
                    raise ValueError(f"'{name}' of '{layer}' has {len(array)} steps, the first sample had {self.steps}")

    def _begin(self, rows: Layers) -> None:
        """Create all data sets, since none can be added after the single-writer mode has begun."""
        self._variables = {layer: sorted(arrays) for layer, arrays in rows.items()}
        self.steps = max((len(array) for arrays in rows.values() for array in arrays.values()), default=0)
        sets = 2 * sum(map(len, self._variables.values())) + 2 * len(self.header.layers) + len(self.header.parameters)
        with self._writing(len(self.header.to_text()) + A_SET * sets):
            self._lay_out(rows, self.steps)
            self._file.swmr_mode = True
            self._flush()

    def _lay_out(self, rows: Layers, steps: int) -> None:
        file, header = self._file, self.header
        file.attrs.update(format=FORMAT, format_version=FORMAT_VERSION, header=header.to_text(), steps=steps)
        for key in ("rule", "dt_ms", "seed"):  # so that any HDF5 viewer shows them
            file.attrs[key] = getattr(header, key)
        file.create_dataset(COUNT, data=np.zeros(2, np.int64))
        whole_numbers(file, SAMPLES, SAMPLE_COLUMNS)
        whole_numbers(file, TAKEN, SNAPSHOT_COLUMNS)
        for layer, shape in header.layers.items():
            group, neurons = file.create_group(f"layers/{layer}"), header.neurons(layer)
            names = self._variables.get(layer, [])
            group.attrs["shape"], group.attrs[VARIABLES] = shape, ",".join(names)
            for name in names:
                if name == SPIKES:
                    lay_out_spikes(file.create_group(f"spikes/{layer}"), steps, neurons, rows[layer][name])
                else:
                    growing(group, name, (steps, neurons)).attrs["unit"] = header.units.get(name, "")
        for name, shape in header.parameters.items():
            growing(file, f"{PARAMETERS}/{name}", shape)

    def _write(self, columns: np.ndarray, rows: Layers) -> None:
        """Write the table of samples, then their data, and finally their number."""
        before = self._count[0]
        put(self._data(SAMPLES), before, columns)
        for layer, arrays in rows.items():
            for name, array in arrays.items():
                if name == SPIKES:
                    bits, values = (self._data(f"spikes/{layer}/{part}") for part in (BITS, VALUES))
                    put_spikes(bits, values, before, array)
                else:
                    put(self._data(f"layers/{layer}/{name}"), before, array.transpose(1, 0, 2))
        self._count[0] += len(columns)
        if time.monotonic() - self._flushed >= self._flush_seconds:
            self._flush()

    def _data(self, name: str) -> h5py.Dataset:
        """A data set, which is opened once, since opening takes longer than writing a few numbers."""
        if name not in self._opened:
            self._opened[name] = self._file[name]
        return self._opened[name]


__all__ = ["EVENTS", "SPIKES", "Layers", "TraceWriter"]
