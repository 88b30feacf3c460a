"""Writes a trace file, sample by sample; see `store` for its layout."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import TracebackType

import h5py
import numpy as np

from neurorules.language.errors import UserError
from neurorules.traces.header import TraceHeader

FORMAT, FORMAT_VERSION = "neurorules-trace", 1
SPIKES = "S"

# Event columns: step, neuron, and the spike's value (1, or a count or grade where the neuron has one).
EVENTS = {"t": np.int32, "neuron": np.int32, "value": np.float32}

Layers = Mapping[str, Mapping[str, np.ndarray]]


class TraceWriter:
    """A trace file being written. Use it as a context manager.

    After each `append` the file on the disk is whole: a process killed later leaves all samples up to there. (HDF5's
    single-writer mode orders the writes so that one killed in the middle of an `append` loses that sample alone.)

    Args:
        path: the new file; one that is there is replaced.
        header: what the file says about itself.

    Raises:
        UserError: the file cannot be made.
    """

    def __init__(self, path: Path, header: TraceHeader) -> None:
        self.header = header
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            # Version 1.10 of the format is the oldest that knows the single-writer mode.
            self._file = h5py.File(path, "w", libver=("v110", "v110"))
        except OSError as error:
            raise UserError(f"cannot write the trace {path} ({error})") from None
        self._steps: int | None = None
        self._variables: dict[str, list[str]] = {}

    def __enter__(self) -> TraceWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def append(self, sample_index: int, label: int, layers: Layers, prediction: int = -1) -> None:
        """Add one sample.

        Args:
            sample_index: its place in the data set.
            label: its class, or -1.
            layers: layer -> variable -> array (T, N) or (T, *shape); `S` is stored as events, all else densely.
            prediction: the class the network said, or -1.

        Raises:
            ValueError: other layers, variables or T than the first sample's, or not the shape the header declares.
        """
        rows = {
            layer: {name: self._flat(layer, name, x) for name, x in found.items()} for layer, found in layers.items()
        }
        variables = {layer: sorted(found) for layer, found in rows.items()}
        if self._steps is None:
            self._begin(rows, variables)
        if variables != self._variables:
            raise ValueError(f"the sample holds {variables}, the first one held {self._variables}")
        for layer, found in rows.items():
            for name, array in found.items():
                if len(array) != self._steps:
                    raise ValueError(
                        f"'{name}' of '{layer}' has {len(array)} steps, the first sample had {self._steps}"
                    )
        for layer, found in rows.items():
            group = self._file["layers"][layer]
            for name, array in found.items():
                if name == SPIKES:
                    _append_events(group["events"], array)
                else:
                    _append(group[name], array[None])
        # The labels count the samples: they go last, when the sample's data are on the disk.
        self._file.flush()
        for name, value in (("index", sample_index), ("prediction", prediction), ("label", label)):
            _append(self._file["samples"][name], np.array([value]))
        self._file.flush()

    def close(self) -> None:
        """Close the file; a second call does nothing."""
        if self._file and self._steps is None:
            self._begin({}, {})
        self._file.close()

    def _flat(self, layer: str, name: str, array: np.ndarray) -> np.ndarray:
        if layer not in self.header.layers:
            raise ValueError(f"layer '{layer}' is not declared in the header: {', '.join(self.header.layers)}")
        rows = np.asarray(array, dtype=np.float32).reshape(len(array), -1)
        if rows.shape[1] != self.header.neurons(layer):
            raise ValueError(f"'{name}' of '{layer}' has {rows.shape[1]} neurons, not {self.header.neurons(layer)}")
        return rows

    def _begin(self, rows: Layers, variables: dict[str, list[str]]) -> None:
        """Lay out all data sets: none can be added once the single-writer mode is on."""
        self._variables = variables
        self._steps = max((len(array) for found in rows.values() for array in found.values()), default=0)
        self._file.attrs.update(
            format=FORMAT, format_version=FORMAT_VERSION, header=self.header.to_text(), steps=self._steps
        )
        for key in ("rule", "dt_ms", "seed"):  # readable without our JSON, in any HDF5 viewer
            self._file.attrs[key] = getattr(self.header, key)
        for name in ("index", "label", "prediction"):
            _count(self._file, f"samples/{name}")
        for layer, shape in self.header.layers.items():
            group = self._file.create_group(f"layers/{layer}")
            group.attrs["shape"] = shape
            for name in variables.get(layer, []):
                if name == SPIKES:
                    many = int(np.count_nonzero(rows[layer][name]))
                    for column, kind in EVENTS.items():
                        _growing(group, f"events/{column}", (), kind, chunk=min(max(many, 256), 1 << 16))
                    _count(group, "events/end")
                else:
                    row = (self._steps, self.header.neurons(layer))
                    _growing(group, name, row, np.float32, chunk=1).attrs["unit"] = self.header.units.get(name, "")
        self._file.swmr_mode = True


def _growing(group: h5py.Group, name: str, row: tuple[int, ...], kind: type, chunk: int) -> h5py.Dataset:
    # A chunk is about what one sample brings: a compressed chunk that is written again leaves its old space unused.
    shape = {"shape": (0, *row), "maxshape": (None, *row), "chunks": (chunk, *(max(1, length) for length in row))}
    return group.create_dataset(name, dtype=kind, compression="gzip", shuffle=True, fletcher32=True, **shape)


def _count(group: h5py.Group, name: str) -> h5py.Dataset:
    """A column of whole numbers, one a sample; not compressed, so that it grows in place."""
    return group.create_dataset(name, (0,), np.int64, maxshape=(None,), chunks=(256,), fletcher32=True)


def _append(data: h5py.Dataset, rows: np.ndarray) -> None:
    before = len(data)
    data.resize(before + len(rows), axis=0)
    data[before:] = rows


def _append_events(group: h5py.Group, spikes: np.ndarray) -> None:
    steps, neurons = np.nonzero(spikes)
    before = int(group["end"][-1]) if len(group["end"]) else 0
    for column, rows in (("t", steps), ("neuron", neurons), ("value", spikes[steps, neurons])):
        _append(group[column], rows)
    _append(group["end"], np.array([before + len(steps)]))
