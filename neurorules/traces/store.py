"""Reads a trace file.

Its layout (HDF5, compressed, with checksums), n samples of T steps:

    /                         attributes: format, format_version, header (JSON), steps, rule, dt_ms, seed
    /samples/index|label|prediction           (n,)
    /layers/LAYER             attribute: shape
    /layers/LAYER/events/t|neuron|value       one row a spike, samples one after the other
    /layers/LAYER/events/end                  (n,) where the events of each sample end
    /layers/LAYER/VARIABLE    (n, T, N) float32, attribute: unit
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import NamedTuple

import h5py
import numpy as np

from neurorules.language.errors import UserError, unknown
from neurorules.traces.header import TraceHeader
from neurorules.traces.writer import EVENTS, FORMAT, FORMAT_VERSION, SPIKES


class Sample(NamedTuple):
    """One recorded sample: its place in the file, in the data set, its class and the network's answer (-1: unknown)."""

    position: int
    data_index: int
    label: int
    prediction: int


class Events(NamedTuple):
    """Spikes of one layer in one sample, ordered by step: (E,) steps, neurons, and values (1 for a plain spike)."""

    t: np.ndarray
    neuron: np.ndarray
    value: np.ndarray


class TraceReader:
    """A trace file, open to read. Use it as a context manager; iterate over it for its samples.

    Args:
        path: the file.

    Raises:
        UserError: the file is missing, damaged, or not a trace.
    """

    def __init__(self, path: Path) -> None:
        if not path.is_file():
            raise UserError(f"there is no trace file {path}. Record one: neurorules record RUN --out {path.name}")
        self.path = path
        with self._damage_told():
            self._file = _open(path)
        if self._file.attrs.get("format") != FORMAT:
            self._file.close()
            raise UserError(f"{path} is an HDF5 file, but not a trace that neurorules recorded")
        if self._file.attrs["format_version"] > FORMAT_VERSION:
            self._file.close()
            raise UserError(f"{path} was written by a later neurorules. Install a newer version to read it")
        with self._damage_told():
            self.header = TraceHeader.from_text(self._file.attrs["header"])
            self.steps = int(self._file.attrs["steps"])
            labels = self._file["samples/label"][:]
            columns = [self._file[f"samples/{name}"][: len(labels)] for name in ("index", "prediction")]
        self.samples = [
            Sample(position, int(index), int(label), int(prediction))
            for position, (index, label, prediction) in enumerate(zip(columns[0], labels, columns[1], strict=True))
        ]

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
        return [SPIKES if name == "events" else name for name in self._file["layers"][layer]]

    def events(self, sample: int, layer: str) -> Events:
        """Spikes of a layer in the sample at position `sample`, with their values.

        Raises:
            UserError: the layer or its spikes were not recorded, there is no such sample, or the file is damaged.
        """
        group = self._variable(layer, SPIKES)
        position = self._position(sample)
        with self._damage_told():
            first, last = int(group["end"][position - 1]) if position else 0, int(group["end"][position])
            return Events(*(group[column][first:last] for column in EVENTS))

    def spikes(self, sample: int, layer: str) -> tuple[np.ndarray, np.ndarray]:
        """Spikes of a layer in one sample: (E,) steps in [0, T) and (E,) neurons in [0, N); see `events`."""
        events = self.events(sample, layer)
        return events.t, events.neuron

    def dense(self, sample: int, layer: str, variable: str) -> np.ndarray:
        """A variable of a layer in one sample, (T, N) float32; `S` is laid out from its events.

        Raises:
            UserError: it was not recorded, there is no such sample, or the file is damaged.
        """
        position = self._position(sample)
        if variable != SPIKES:
            data = self._variable(layer, variable)
            with self._damage_told():
                return np.asarray(data[position])
        spikes = np.zeros((self.steps, self.header.neurons(layer) if layer in self.layers else 0), np.float32)
        events = self.events(position, layer)
        spikes[events.t, events.neuron] = events.value
        return spikes

    def close(self) -> None:
        """Close the file; a second call does nothing."""
        self._file.close()

    def _position(self, sample: int) -> int:
        if not 0 <= sample < len(self):
            raise UserError(f"{self.path.name} has no sample {sample}, it holds {len(self)}, counted from 0")
        return sample

    def _variable(self, layer: str, variable: str) -> h5py.Group | h5py.Dataset:
        if variable not in self.variables(layer):
            raise unknown(f"variable of layer '{layer}' in {self.path.name}", variable, self.variables(layer))
        return self._file["layers"][layer]["events" if variable == SPIKES else variable]

    @contextmanager
    def _damage_told(self) -> Iterator[None]:
        try:
            yield
        except (OSError, KeyError, ValueError) as error:
            raise UserError(f"{self.path} is damaged or not a trace file ({error}). Record it again") from None


# Superblock of the version that the writer makes: a flag byte, and where the file ended when it was last flushed.
_FLAGS, _END = 11, slice(28, 36)


def _open(path: Path) -> h5py.File:
    """Open a file that was closed, or what a killed writer left of one.

    The mode for the second asks again and again for data that will never come if the file is damaged: it is tried only
    where the writer's flag is still up and nothing is cut off.
    """
    with path.open("rb") as file:
        head = file.read(48)
    left_open = len(head) == 48 and head[_FLAGS] != 0
    whole = path.stat().st_size >= int.from_bytes(head[_END], "little")
    return h5py.File(path, "r", libver=("v110", "v110"), swmr=left_open and whole)
