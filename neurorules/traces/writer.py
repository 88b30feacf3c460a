"""Writes a trace file, a batch of samples at a time; see `layout` for what stands in it."""

from __future__ import annotations

import os
import time
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import TracebackType

import h5py
import numpy as np

from neurorules.disk.failures import cannot_write
from neurorules.disk.hdf5 import hdf5_writing, let_go
from neurorules.disk.lock import owned_file
from neurorules.disk.space import reserve
from neurorules.runs.outputs import A_TRACE, check_kind
from neurorules.traces.header import TraceHeader
from neurorules.traces.layout import (
    BLOCKS,
    COUNT,
    DATA,
    EVENTS,
    PARAMETERS,
    SAMPLES,
    SPIKES,
    TAKEN,
    lay_out,
    put,
)
from neurorules.traces.spike_codes import encode

Layers = Mapping[str, Mapping[str, np.ndarray]]

SPIKES_AT_ONCE, DENSE_AT_ONCE = 1 << 19, 1 << 17
"""Bytes of samples that are written together, spikes as bits; a file that is cut off loses no more than that."""


MARGIN, A_SET = 1 << 16, 1 << 12
"""Bytes that HDF5 may take for what describes the data: in a write, and when a data set is made."""


class TraceWriter:
    """A trace file being written. Use it as a context manager.

    A process that is killed leaves all samples up to the last `flush`. (HDF5's single-writer mode orders the writes so
    that this holds at any instant.) A trace that stands there already stays until the new one is closed. The file is
    owned while it is written.

    Args:
        path: the new file; a trace that is there is replaced.
        header: what the file says about itself.
        flush_seconds: how much of what is appended may wait in memory; 0: each `append` is on the disk at its end.

    Raises:
        UserError: the file cannot be made, is written by another process, or something else stands there.
    """

    def __init__(self, path: Path, header: TraceHeader, flush_seconds: float = 0.0) -> None:
        self.header, self._flush_seconds, self._flushed = header, flush_seconds, time.monotonic()
        self.path, self._held = path, ExitStack()
        try:
            self._held.enter_context(owned_file(path))
            check_kind(path, A_TRACE)
            self._place = path.with_name(f".{path.stem}.{os.getpid()}.tmp{path.suffix}") if path.exists() else path
            self._name = self._place  # by which HDF5 knows it
            # Version 1.10 of the format is the oldest that knows the single-writer mode. Without a cache of chunks each
            # row finds its place in the file when it is appended, whenever it is flushed: data lie in order of samples.
            try:
                self._file = h5py.File(self._place, "w", libver=("v110", "v110"), rdcc_nbytes=0)
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
        self._count, self._room = [0, 0], 0
        self._written = (0, 0)  # bytes and blocks of spikes
        self._opened: dict[str, h5py.Dataset] = {}

    def __enter__(self) -> TraceWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if isinstance(error, OSError) and self._place != self.path:
            self.discard()
        else:
            self.close()

    def __len__(self) -> int:
        return self._count[0]

    def append(
        self, sample_index: int, label: int, layers: Layers, prediction: int = -1, epoch: int = -1
    ) -> None:  # fmt: skip
        """Add one sample; see `append_batch`. Its arrays are (T, N) or (T, *shape)."""
        batch = {layer: {n: np.asarray(x)[:, None] for n, x in found.items()} for layer, found in layers.items()}
        self.append_batch([sample_index], [label], batch, [prediction], epoch)

    def append_batch(
        self, indices: Sequence[int] | np.ndarray, labels: Sequence[int] | np.ndarray, layers: Layers,
        predictions: Sequence[int] | np.ndarray | None = None, epoch: int = -1,
    ) -> None:  # fmt: skip
        """Add samples.

        Args:
            indices: their places in the data set, (B,).
            labels: their classes, or -1.
            layers: layer -> variable -> array (T, B, N) or (T, B, *shape); `S` is stored as spikes, all else densely.
            predictions: the classes the network said, or -1.
            epoch: epochs that the network has learned, or -1.

        Raises:
            ValueError: other layers, variables or T than the first ones', or not the shape the header declares.
        """
        size = len(indices)
        rows = {a: {name: self._flat(a, name, x, size) for name, x in found.items()} for a, found in layers.items()}
        if self.steps is None:
            self._begin(rows)
        self._check(rows)
        said = np.full(size, -1) if predictions is None else predictions
        columns = np.stack([np.asarray(c, np.int64) for c in (indices, labels, said, np.full(size, epoch))], axis=1)
        share = self._share(rows, size)
        with self._writing(sum(x.nbytes for found in rows.values() for x in found.values()) + columns.nbytes):
            for start in range(0, size, share):
                here = slice(start, min(start + share, size))
                share_of_rows = {a: {name: x[:, here] for name, x in found.items()} for a, found in rows.items()}
                self._write(columns[here], share_of_rows)

    def snapshot(self, epoch: int, parameters: Mapping[str, np.ndarray]) -> None:
        """Keep parameters as they are now; all that the header declares.

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
        """Bring everything to the disk: the data, and behind them how many samples there are."""
        with self._writing(0):
            self._flush()

    def close(self) -> None:
        """Close the file, which takes its place now; a second call does nothing.

        Raises:
            OSError: it cannot be written.
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
            os.truncate(self._place, end)
            self.take_place()
        self._held.close()

    def take_place(self) -> None:
        """Stand where the trace belongs from now on, in the place of one that stood there."""
        if self._place != self.path:
            os.replace(self._place, self.path)
            self._place = self.path

    def discard(self) -> None:
        """Close the file and remove it; what stood in its place before stays."""
        let_go(self._name)
        self._place.unlink(missing_ok=True)
        self._held.close()

    @contextmanager
    def _writing(self, size: int) -> Iterator[None]:
        """Room for so many bytes, and what describes them, is taken before they are written.

        Where there is none, the file is closed as it is: what was flushed can be read, and nothing more comes.
        """
        try:
            with hdf5_writing(self._name):
                need = self._file.id.get_filesize() + size + MARGIN
                if need > self._room:
                    reserve(self._file.id.get_vfd_handle(), self._room, need - self._room, self._place)
                    self._room = need
                yield
        except OSError:
            if self._place != self.path:
                self._place.unlink(missing_ok=True)
            self._held.close()
            raise

    def _flush(self) -> None:
        if self.steps is not None:
            self._file.flush()
            self._data(COUNT)[:] = self._count
            self._file.flush()
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
        variables = {layer: sorted(found) for layer, found in rows.items()}
        if variables != self._variables:
            raise ValueError(f"the sample holds {variables}, the first one held {self._variables}")
        for layer, found in rows.items():
            for name, array in found.items():
                if len(array) != self.steps:
                    raise ValueError(f"'{name}' of '{layer}' has {len(array)} steps, the first sample had {self.steps}")

    def _share(self, rows: Layers, size: int) -> int:
        """Samples to write together."""
        assert self.steps is not None
        spikes = sum(self.steps * self.header.neurons(a) for a in rows for name in rows[a] if name == SPIKES)
        dense = sum(self.steps * self.header.neurons(a) for a in rows for name in rows[a] if name != SPIKES)
        return max(1, min(size, 8 * SPIKES_AT_ONCE // max(spikes, 1), DENSE_AT_ONCE // max(4 * dense, 1)))

    def _begin(self, rows: Layers) -> None:
        self._variables = {layer: sorted(found) for layer, found in rows.items()}
        self.steps = max((len(array) for found in rows.values() for array in found.values()), default=0)
        spikes = [found[SPIKES] for found in rows.values() if SPIKES in found]
        share = self._share(rows, max((x.shape[1] for x in spikes), default=1))
        block = max(1, sum(x[:, :share].size // 8 for x in spikes))
        with self._writing(len(self.header.to_text()) + A_SET * sum(map(len, self._variables.values()))):
            lay_out(self._file, self.header, self.steps, self._variables, block)
            self._file.swmr_mode = True

    def _write(self, columns: np.ndarray, rows: Layers) -> None:
        """Who the samples are, then their data, and last that they are there."""
        before = self._count[0]
        put(self._data(SAMPLES), before, columns)
        self._write_spikes(before, rows)
        for layer, found in rows.items():
            for name, array in found.items():
                if name != SPIKES:
                    put(self._data(f"layers/{layer}/{name}"), before, array.transpose(1, 0, 2))
        self._count[0] += len(columns)
        if time.monotonic() - self._flushed >= self._flush_seconds:
            self._flush()

    def _write_spikes(self, first: int, rows: Layers) -> None:
        """A block a layer, all of them at once."""
        data, blocks = self._data(DATA), self._data(BLOCKS)
        end, table, payloads = self._written[0], [], []
        for number, layer in enumerate(self.header.layers):
            spikes = rows.get(layer, {}).get(SPIKES)
            if spikes is None:
                continue
            block = encode(spikes)
            end += len(block.payload)
            checksum = zlib.crc32(block.payload)
            table.append([number, first, spikes.shape[1], int(block.code), block.spikes, block.marks, end, checksum])
            payloads.append(block.payload)
        if table:
            put(blocks, self._written[1], np.array(table))
            put(data, self._written[0], np.frombuffer(b"".join(payloads), np.uint8))
            self._written = (end, self._written[1] + len(table))

    def _data(self, name: str) -> h5py.Dataset:
        """A data set, opened once: opening takes longer than writing a few numbers."""
        if name not in self._opened:
            self._opened[name] = self._file[name]
        return self._opened[name]


__all__ = ["EVENTS", "SPIKES", "Layers", "TraceWriter"]
