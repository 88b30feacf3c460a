"""N-MNIST: the digits of MNIST, recorded by an event camera in three saccades (Orchard et al. 2015)."""

from __future__ import annotations

import hashlib
import os
import re
import zipfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Shaped

from neurorules.contracts.data_set import DataSet, Recordings, content_checksum
from neurorules.datasets._damage import is_hidden, reading
from neurorules.datasets._files import given_path, search_folders
from neurorules.datasets._folds import Fold, Folds, cross_validated
from neurorules.language.errors import UserError
from neurorules.language.ranges import Whole, ranged

SENSOR = (2, 34, 34)  # polarities (off, on), rows, columns
EVENT_BYTES = 5
READERS, CHUNK_BYTES = 8, 1 << 21  # threads, and bytes that one of them reads and decodes at a time
NAME = re.compile(r"(?:^|/)([0-9]{1,9})/([0-9]{1,9})\.bin$", re.IGNORECASE)
OVERFLOW_ROW, OVERFLOW_US = 240, 2**13
"""An entry with this row is no event: it marks that the clock ran over, so that all later events of the recording are
that many microseconds later. Source: the readers of Orchard, github.com/gorchard/event-Python, and of tonic."""
PAGE = "https://www.garrickorchard.com/datasets/n-mnist"


class _Entry(NamedTuple):
    """One recording: its index, its digit, the size of its file in bytes, and the name of the file."""

    number: int
    digit: int
    size: int
    name: str


@runtime_checkable
class _Source(Protocol):
    """A folder or a zip file of recordings `<digit>/<index>.bin`."""

    def entries(self) -> list[_Entry]:
        """List all recordings, in any order."""
        ...

    def read(self, name: str) -> bytes:
        """Read the bytes of one recording's file."""
        ...


@ranged("data set 'nmnist'")
@dataclass(frozen=True)
class NMnist:
    """Recordings of 34 x 34 pixels and two polarities, in the order of MNIST. Any subset of the published files will
    do.

    They are read from Train/<digit>/<index>.bin and Test/<digit>/<index>.bin, or from Train.zip and Test.zip.

    A subset has few recordings to test, so they may take turns: `nmnist:folds=5:fold=0` tests a fifth of all
    recordings, those of Train and Test together, and learns from the others. Every recording is tested in exactly one
    fold. Folds have one size and the same share of every class. Recordings of one index never stand in two folds.

    Args:
        path: the folder; `none` looks for `nmnist` in --data-dir, NEURORULES_DATA and the cache folder.
        folds: number of folds; `none` keeps the published parts.
        fold: which fold is tested, from 0; compare --folds runs through all of them.
    """

    path: str | None = None
    folds: Folds | None = None
    fold: Whole | None = None

    def load(self, data_dir: Path | None = None) -> DataSet:
        """Read all recordings of both parts.

        Raises:
            UserError: the files are missing (there is no stable link to download them from) or broken, or there is no
                such fold.
        """
        fold = Fold.of_options("nmnist", self.fold, self.folds)
        folder = self._folder(data_dir)
        train, train_labels, train_numbers = read_part(folder, "Train")
        test, test_labels, test_numbers = read_part(folder, "Test")
        data = DataSet(
            name="nmnist" if self.path is None else folder.resolve().name,
            kind="events",
            shape=SENSOR,
            classes=10,
            train=train,
            train_labels=train_labels,
            test=test,
            test_labels=test_labels,
            checksum=hashlib.sha256(
                f"{train.checksum}{test.checksum}".encode() + train_labels.tobytes() + test_labels.tobytes()
            ).hexdigest(),
            default_encoder="frames",
        )
        return data if fold is None else cross_validated(data, train_numbers, test_numbers, fold)

    def _folder(self, data_dir: Path | None) -> Path:
        """The first folder that holds any of the files.

        Raises:
            UserError: there is none.
        """
        folders = [given_path("nmnist", self.path, data_dir)] if self.path else search_folders("nmnist", data_dir)
        for folder in folders:
            if any(_named(folder, name) for name in ("Train", "Train.zip", "Test", "Test.zip")):
                return folder
        raise UserError(
            f"nmnist: no Train.zip or Train/ in {', '.join(str(folder) for folder in folders)}. "
            f"Download Train.zip and Test.zip from {PAGE} and put both into {folders[-1]}, "
            "or name their folder with --data-dir"
        )


def read_part(folder: Path, part: str) -> tuple[Recordings, Shaped[np.ndarray, "N"], Shaped[np.ndarray, "N"]]:
    """Read all recordings of one part.

    Args:
        folder: where the part lies, as a folder or a zip file.
        part: "Train" or "Test".

    Returns:
        N recordings sorted by index, their labels (N,) int64, and their indices (N,) int64.

    Raises:
        UserError: files are missing, empty or broken.
    """
    with _open(folder, part) as (source, where):
        entries = sorted(source.entries())
        if not entries:
            raise UserError(f"nmnist: {where} holds no recordings <digit>/<index>.bin. Unpack {part}.zip there")
        _check(entries, where)
        recordings = _read_all(source, entries, where)
    numbers, labels = np.array([entry[:2] for entry in entries], dtype=np.int64).T.copy()
    return recordings, labels, numbers


def _check(entries: list[_Entry], where: str) -> None:
    """Refuse a recording whose label is no digit, whose file is no whole number of events, or that is there twice.

    Raises:
        UserError: there is one.
    """
    names: dict[tuple[int, int], str] = {}
    for entry in entries:
        if entry.digit > 9:
            raise UserError(f"nmnist: {where}, {entry.name}: label {entry.digit} is out of range. Labels must be 0..9")
        if entry.size % EVENT_BYTES:
            raise UserError(
                f"nmnist: {where}, {entry.name}: {entry.size} bytes are not a whole number of events of 5 bytes. "
                "Fetch the file again"
            )
        other = names.setdefault((entry.digit, entry.number), entry.name)
        if other != entry.name:
            raise UserError(f"nmnist: {where} holds one recording twice: {other} and {entry.name}. Keep one of them")


def decode_events(
    content: bytes,
) -> tuple[Shaped[np.ndarray, "E"], Shaped[np.ndarray, "E"], Shaped[np.ndarray, "E"], Shaped[np.ndarray, "E"]]:
    """Decode events of 5 bytes, big endian, into x, y, polarity (uint8) and t_us (int32).

    Layout: x (8 bit), y (8 bit), polarity (1 bit), time in microseconds (23 bit).
    Source: Orchard et al. 2015, "Converting static image datasets to spiking neuromorphic datasets using saccades".
    """
    raw = np.frombuffer(content, dtype=np.uint8).reshape(-1, EVENT_BYTES)
    high = raw[:, 2].astype(np.int32)
    t_us = ((high & 0x7F) << 16) | (raw[:, 3].astype(np.int32) << 8) | raw[:, 4]
    return raw[:, 0].copy(), raw[:, 1].copy(), raw[:, 2] >> 7, t_us


def _read_all(source: _Source, entries: list[_Entry], where: str) -> Recordings:
    """Decode the recordings in chunks, into arrays whose size the sizes of the files tell.

    Raises:
        UserError: a file changes while it is read, or an event lies outside the sensor.
    """
    offsets = np.cumsum([0, *(entry.size // EVENT_BYTES for entry in entries)], dtype=np.int64)
    total = int(offsets[-1])
    x, y, polarity = (np.empty(total, np.uint8) for _ in range(3))
    t_us = np.empty(total, np.int32)
    firsts = np.unique(offsets[:-1] * EVENT_BYTES // CHUNK_BYTES, return_index=True)[1].tolist()

    def read(first: int, beyond: int) -> None:
        begin, end = int(offsets[first]), int(offsets[beyond])
        content = b"".join(source.read(entry.name) for entry in entries[first:beyond])
        if len(content) != (end - begin) * EVENT_BYTES:
            raise UserError(f"nmnist: {where} changed while it was read. Try again")
        x[begin:end], y[begin:end], polarity[begin:end], t_us[begin:end] = decode_events(content)

    with ThreadPoolExecutor(READERS) as readers:
        list(readers.map(read, firsts, [*firsts[1:], len(entries)]))
    names = [entry.name for entry in entries]
    if (y == OVERFLOW_ROW).any():
        x, y, polarity, t_us, offsets = _without_marks(x, y, polarity, t_us, offsets, where, names)
    outside = (x >= SENSOR[2]) | (y >= SENSOR[1])
    if outside.any():
        event = int(np.argmax(outside))
        name = names[int(np.searchsorted(offsets, event, side="right")) - 1]
        raise UserError(
            f"nmnist: {where}, {name}: an event at x={x[event]}, y={y[event]} lies outside the 34 x 34 sensor. "
            "Give N-MNIST recordings (5 bytes an event)"
        )
    return Recordings(x, y, polarity, t_us, offsets, SENSOR, content_checksum(x, y, polarity, t_us, offsets))


def _without_marks(
    x: np.ndarray, y: np.ndarray, polarity: np.ndarray, t_us: np.ndarray, offsets: np.ndarray, where: str,
    names: list[str],
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:  # fmt: skip
    """Take the overflow marks out of flat arrays of events, and make each event later by the marks before it in its
    recording.

    Raises:
        UserError: a recording is too long for times of 32 bits.
    """
    marks = y == OVERFLOW_ROW
    passed = np.concatenate([[0], np.cumsum(marks)])
    in_recording = passed[1:] - np.repeat(passed[offsets[:-1]], np.diff(offsets))
    later = t_us + in_recording * OVERFLOW_US
    if later.max(initial=0) > np.iinfo(np.int32).max:
        name = names[int(np.searchsorted(offsets, int(np.argmax(later)), side="right")) - 1]
        raise UserError(f"nmnist: {where}, {name}: lasts longer than 2^31 us. Give N-MNIST recordings")
    events = ~marks
    return x[events], y[events], polarity[events], later[events].astype(np.int32), offsets - passed[offsets]


class _Folder:
    """The recordings of N-MNIST in an unpacked folder."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def entries(self) -> list[_Entry]:
        folders = [folder for folder in os.listdir(self.root) if os.path.isdir(f"{self.root}/{folder}")]
        names = [f"{folder}/{name}" for folder in folders for name in os.listdir(f"{self.root}/{folder}")]
        return [
            _Entry(int(match[2]), int(match[1]), os.path.getsize(f"{self.root}/{name}"), name)
            for name in names
            if (match := NAME.search(name)) and os.path.isfile(f"{self.root}/{name}")
        ]

    def read(self, name: str) -> bytes:
        with open(f"{self.root}/{name}", "rb", buffering=0) as file:  # making a Path takes as long as reading
            return file.read()


class _Zip:
    """Recordings in a zip file, read without unpacking it."""

    def __init__(self, archive: zipfile.ZipFile) -> None:
        self.archive = archive

    def entries(self) -> list[_Entry]:
        return [
            _Entry(int(match[2]), int(match[1]), info.file_size, info.filename)
            for info in self.archive.infolist()
            if (match := NAME.search(info.filename)) and not is_hidden(info.filename)
        ]

    def read(self, name: str) -> bytes:
        return self.archive.read(name)


@contextmanager
def _open(folder: Path, part: str) -> Iterator[tuple[_Source, str]]:
    """Open one part: the unpacked folder where there is one, or else the zip file. The second value is how errors name
    it.

    Raises:
        UserError: there is neither, or it cannot be read.
    """
    unpacked, packed = _named(folder, part), _named(folder, f"{part}.zip")
    if unpacked is not None and unpacked.is_dir():
        with reading(f"nmnist: {unpacked}", "Fetch it again"):
            yield _Folder(unpacked), str(unpacked)
    elif packed is not None and packed.is_file():
        with reading(f"nmnist: {packed}", "Fetch it again"), zipfile.ZipFile(packed) as archive:
            yield _Zip(archive), str(packed)
    else:
        raise UserError(f"nmnist: {folder} holds neither {part}/ nor {part}.zip. Put one of them there")


def _named(folder: Path, name: str) -> Path | None:
    """The path of what lies in a folder under a name, in capitals or not; None where nothing does."""
    if (folder / name).exists():
        return folder / name
    return next((p for p in sorted(folder.glob("*")) if p.name.lower() == name.lower() and p.exists()), None)


ENTRY = NMnist
