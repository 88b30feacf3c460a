"""The contract of data sets: `DataSource` loads one, `DataSet` holds it in memory, `Recordings` holds events."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Shaped

from neurorules.language.settings import Task


class Recording(NamedTuple):
    """The E events of one sample.

    Args:
        x: column of each event on the sensor, (E,) unsigned.
        y: row of each event, (E,) unsigned.
        polarity: (E,) uint8, 0 = off (darker), 1 = on (brighter).
        t_us: time of each event since the recording began, (E,) int32, microseconds.
    """

    x: Shaped[np.ndarray, "E"]
    y: Shaped[np.ndarray, "E"]
    polarity: Shaped[np.ndarray, "E"]
    t_us: Shaped[np.ndarray, "E"]


@dataclass(frozen=True, eq=False)
class Recordings:
    """N event recordings in flat arrays. Recording i owns the events `offsets[i]` up to, not including, `offsets[i +
    1]`.

    Args:
        x, y: column and row of each event, (E,) unsigned; x < W, y < H.
        polarity: (E,) uint8, below P: 0 = off (darker), 1 = on (brighter).
        t_us: (E,) int32, microseconds since the start of the recording.
        offsets: (N + 1,) int64, never decreasing, from 0 to E.
        sensor: (P, H, W): polarities, rows, columns. P is 2, or 1 where events have no polarity.
        checksum: hex digest of the content; that of a subset is derived from it and the indices.
    """

    x: Shaped[np.ndarray, "E"]
    y: Shaped[np.ndarray, "E"]
    polarity: Shaped[np.ndarray, "E"]
    t_us: Shaped[np.ndarray, "E"]
    offsets: Shaped[np.ndarray, "N_plus_1"]
    sensor: tuple[int, int, int]
    checksum: str

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def __getitem__(self, indices: np.ndarray | slice) -> Recordings:
        """The recordings at these indices; the same syntax as for arrays of images, `samples[indices]`."""
        return self.subset(np.arange(len(self))[indices])

    @property
    def events(self) -> int:
        """Number of events in all recordings together."""
        return int(self.offsets[-1])

    def recording(self, index: int) -> Recording:
        """The events of one recording, as views of the flat arrays.

        Raises:
            IndexError: there is no recording with this index; negative indices are not allowed.
        """
        if not 0 <= index < len(self):
            raise IndexError(f"recording {index} does not exist: there are {len(self)}, counted from 0")
        part = slice(int(self.offsets[index]), int(self.offsets[index + 1]))
        return Recording(self.x[part], self.y[part], self.polarity[part], self.t_us[part])

    def subset(self, indices: Shaped[np.ndarray, "*any"]) -> Recordings:
        """A copy of the recordings at `indices`, in that order. An index may stand twice."""
        indices = np.asarray(indices, dtype=np.int64).reshape(-1)
        indices = np.arange(len(self))[indices]  # checks the range and resolves negative indices
        counts = np.diff(self.offsets)[indices]
        offsets = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
        picked = self._events_of(indices, offsets)
        return Recordings(
            x=self.x[picked],
            y=self.y[picked],
            polarity=self.polarity[picked],
            t_us=self.t_us[picked],
            offsets=offsets,
            sensor=self.sensor,
            checksum=hashlib.sha256(self.checksum.encode() + indices.tobytes()).hexdigest(),
        )

    def _events_of(self, indices: Shaped[np.ndarray, "N"], offsets: Shaped[np.ndarray, "N_plus_1"]) -> np.ndarray:
        """Which events a subset with these offsets has: of recordings in their own order, whether each event is among
        them, which takes an eighth of the memory; or else their places.
        """
        if (np.diff(indices) > 0).all():
            chosen = np.zeros(len(self), bool)
            chosen[indices] = True
            return np.repeat(chosen, np.diff(self.offsets))
        return np.arange(offsets[-1]) + np.repeat(self.offsets[indices] - offsets[:-1], np.diff(offsets))


Samples = Shaped[np.ndarray, "_ C H W"] | Shaped[np.ndarray, "_ T C H W"] | Recordings
"""Images (N, C, H, W), N sequences of T steps (N, T, C, H, W), or N event recordings."""


@dataclass(frozen=True, eq=False)
class DataSet:
    """One data set in memory.

    Args:
        name: the name that is shown to users.
        kind: the kind of samples: "images", "events", or "sequences" (samples that have time steps of their own).
        shape: (C, H, W) of one image, of one step of a sequence, or of one frame of events.
        classes: number of classes, with labels 0 .. classes - 1; for other tasks, the number of labels or of values.
        train, test: images (N, C, H, W), uint8 (grey levels, 255 = full) or float32; sequences (N, T, C, H, W), uint8
            or float32, both unscaled; or `Recordings`.
        train_labels, test_labels: (N,) int64. Every class occurs in the training part, and no sample is in both parts.
            For other tasks, the targets are (N, T) int64, or (N, O) or (N, T, O) float32.
        checksum: hex digest of the content.
        default_encoder: the encoder with its options, such as "frames:clip=true", for users who choose none.
        steps: T, where the data determine the number of time steps, as sequences do; None where the user or the rule
            chooses it.
        class_names: names of the classes in order; empty where the data have no names.
        origin: where the samples came from, as a phrase; empty where `name` says it.
        task: the kind of targets (`neurorules.contracts.target`).
    """

    name: str
    kind: Literal["images", "events", "sequences"]
    shape: tuple[int, int, int]
    classes: int
    train: Samples
    train_labels: Shaped[np.ndarray, "N_train *train_target"]
    test: Samples
    test_labels: Shaped[np.ndarray, "N_test *test_target"]
    checksum: str
    default_encoder: str
    steps: int | None = None
    class_names: tuple[str, ...] = ()
    origin: str = ""
    task: Task = "classes"


DataPlace = Path | DataSet | None
"""Where to look for data: a folder, None for the default folders, or a data set that is already in memory."""


@runtime_checkable
class DataSource(Protocol):
    """A data set with its options. `ENTRY` is a frozen dataclass of this kind, and its fields are the user's
    options."""

    def load(self, data_dir: Path | None = None) -> DataSet:
        """Read the data set from its files, or generate it. The same files give the same samples in the same order, and
        no global random generator is used.

        Args:
            data_dir: the folder to look in first; None for the default folders.

        Raises:
            UserError: files are missing, broken, or of the wrong format.
        """
        ...


@runtime_checkable
class BringsSteps(Protocol):
    """A source whose data determine the number of time steps. It can return the number without reading all samples."""

    def own_steps(self, data_dir: Path | None = None) -> int | None:
        """The number of steps, or None where these data leave it to the user.

        Args:
            data_dir: as for `load`.

        Raises:
            UserError: files are missing or broken.
        """
        ...


def content_checksum(*arrays: np.ndarray) -> str:
    """SHA-256 of the types, shapes and contents of arrays, in hexadecimal."""
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(f"{array.dtype.str}{array.shape}".encode())
        digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()
