"""N-MNIST: MNIST's digits as seen by an event camera in three saccades (Orchard, Jayawant, Cohen, Thakor 2015)."""

from __future__ import annotations

import hashlib
import re
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Protocol, runtime_checkable

import numpy as np

from neurorules.datasets._files import given_path, search_folders
from neurorules.datasets._folds import Fold, cross_validated
from neurorules.datasets._shared import DataSet, Recordings, content_checksum
from neurorules.language.errors import UserError

SENSOR = (2, 34, 34)  # polarities (off, on), rows, columns
EVENT_BYTES = 5
CHUNK_BYTES = 1 << 26  # decoded at a time: keeps the whole set's reading within a few hundred MB above its result
NAME = re.compile(r"(?:^|/)(\d+)/(\d+)\.bin$")
PAGE = "https://www.garrickorchard.com/datasets/n-mnist"


class _Entry(NamedTuple):
    number: int
    digit: int
    size: int
    name: str


@runtime_checkable
class _Source(Protocol):
    """A folder or a zip file of recordings `<digit>/<index>.bin`."""

    def entries(self) -> list[_Entry]: ...

    def read(self, name: str) -> bytes: ...


@dataclass(frozen=True)
class NMnist:
    """Recordings of 34 x 34 pixels and two polarities, in MNIST's order; any subset of the published files will do.

    Read from Train/<digit>/<index>.bin and Test/<digit>/<index>.bin, or from Train.zip and Test.zip as they are.

    A subset has few recordings to test, so they may take turns: `nmnist:folds=5:fold=0` tests a fifth of all of
    them, those of Train and Test together, and learns from the others. Every recording is tested in exactly one fold;
    folds are of one size and hold every class alike; recordings of one index never stand in two folds.

    Args:
        path: the folder; `none` seeks `nmnist` in --data-dir, NEURORULES_DATA and the cache folder.
        folds: how many folds; `none` keeps the published parts.
        fold: which of them is tested, from 0; compare --folds runs through all of them.
    """

    path: str | None = None
    folds: int | None = None
    fold: int | None = None

    def load(self, data_dir: Path | None = None) -> DataSet:
        """Read all recordings.

        Raises:
            UserError: no such files (there is no stable link to download them from), a broken one, or no such fold.
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
        folders = [given_path("nmnist", self.path, data_dir)] if self.path else search_folders("nmnist", data_dir)
        for folder in folders:
            if any((folder / name).exists() for name in ("Train", "Train.zip", "Test", "Test.zip")):
                return folder
        raise UserError(
            f"nmnist: no Train.zip or Train/ in {', '.join(str(folder) for folder in folders)}. "
            f"Download Train.zip and Test.zip from {PAGE} and put both into {folders[-1]}, "
            "or name their folder with --data-dir"
        )


def read_part(folder: Path, part: str) -> tuple[Recordings, np.ndarray, np.ndarray]:
    """All recordings of `part` ("Train" or "Test"), sorted by index; their labels and their indices, both (N,) int64.

    Raises:
        UserError: missing, empty or broken files.
    """
    with _open(folder, part) as (source, where):
        try:
            entries = sorted(source.entries())
            if not entries:
                raise UserError(f"nmnist: {where} holds no recordings <digit>/<index>.bin. Unpack {part}.zip there")
            for entry in entries:
                if entry.digit > 9:
                    raise UserError(
                        f"nmnist: {where}, {entry.name}: label {entry.digit} is out of range. Labels must be 0..9"
                    )
                if entry.size % EVENT_BYTES:
                    raise UserError(
                        f"nmnist: {where}, {entry.name}: {entry.size} bytes are no whole number of events of 5 bytes. "
                        "Fetch the file again"
                    )
            recordings = _read_all(source, entries, where)
        except (OSError, EOFError, zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError) as error:
            raise UserError(f"nmnist: {where} cannot be read ({error}). Fetch it again") from None
    labels, numbers = ([entry.digit for entry in entries], [entry.number for entry in entries])
    return recordings, np.array(labels, dtype=np.int64), np.array(numbers, dtype=np.int64)


def decode_events(content: bytes) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """x, y, polarity (uint8) and t_us (int32) of events of 5 bytes, big endian.

    Layout: x (8 bit), y (8 bit), polarity (1 bit), time in microseconds (23 bit).
    Source: Orchard et al. 2015, "Converting static image datasets to spiking neuromorphic datasets using saccades".
    """
    raw = np.frombuffer(content, dtype=np.uint8).reshape(-1, EVENT_BYTES)
    high = raw[:, 2].astype(np.int32)
    t_us = ((high & 0x7F) << 16) | (raw[:, 3].astype(np.int32) << 8) | raw[:, 4]
    return raw[:, 0].copy(), raw[:, 1].copy(), raw[:, 2] >> 7, t_us


def _read_all(source: _Source, entries: list[_Entry], where: str) -> Recordings:
    """Decode the entries in chunks into arrays whose size is known from the files' sizes."""
    offsets = np.cumsum([0, *(entry.size // EVENT_BYTES for entry in entries)], dtype=np.int64)
    total = int(offsets[-1])
    x, y, polarity = (np.empty(total, np.uint8) for _ in range(3))
    t_us = np.empty(total, np.int32)
    group = offsets[:-1] * EVENT_BYTES // CHUNK_BYTES
    for number in np.unique(group):
        members = np.flatnonzero(group == number)
        begin, end = int(offsets[members[0]]), int(offsets[members[-1] + 1])
        content = b"".join(source.read(entries[member].name) for member in members)
        if len(content) != (end - begin) * EVENT_BYTES:
            raise UserError(f"nmnist: {where} changed while it was read. Try again")
        x[begin:end], y[begin:end], polarity[begin:end], t_us[begin:end] = decode_events(content)
    outside = (x >= SENSOR[2]) | (y >= SENSOR[1])
    if outside.any():
        event = int(np.argmax(outside))
        name = entries[int(np.searchsorted(offsets, event, side="right")) - 1].name
        raise UserError(
            f"nmnist: {where}, {name}: an event at x={x[event]}, y={y[event]} lies outside the 34 x 34 sensor. "
            "Give N-MNIST recordings (5 bytes an event)"
        )
    return Recordings(x, y, polarity, t_us, offsets, SENSOR, content_checksum(x, y, polarity, t_us, offsets))


class _Folder:
    def __init__(self, root: Path) -> None:
        self.root = root

    def entries(self) -> list[_Entry]:
        return [
            _Entry(int(match[2]), int(match[1]), path.stat().st_size, path.relative_to(self.root).as_posix())
            for path in self.root.glob("*/*.bin")
            if (match := NAME.search(path.as_posix()))
        ]

    def read(self, name: str) -> bytes:
        return (self.root / name).read_bytes()


class _Zip:
    def __init__(self, archive: zipfile.ZipFile) -> None:
        self.archive = archive

    def entries(self) -> list[_Entry]:
        return [
            _Entry(int(match[2]), int(match[1]), info.file_size, info.filename)
            for info in self.archive.infolist()
            if (match := NAME.search(info.filename)) and not info.filename.startswith("__MACOSX")
        ]

    def read(self, name: str) -> bytes:
        return self.archive.read(name)


@contextmanager
def _open(folder: Path, part: str) -> Iterator[tuple[_Source, str]]:
    """The unpacked folder where there is one, else the zip file; and how errors name it."""
    unpacked, packed = folder / part, folder / f"{part}.zip"
    if unpacked.is_dir():
        yield _Folder(unpacked), str(unpacked)
    elif packed.is_file():
        try:
            archive = zipfile.ZipFile(packed)
        except (OSError, zipfile.BadZipFile) as error:
            raise UserError(f"nmnist: {packed} cannot be read ({error}). Fetch it again") from None
        with archive:
            yield _Zip(archive), str(packed)
    else:
        raise UserError(f"nmnist: {folder} holds neither {part}/ nor {part}.zip. Put one of them there")


ENTRY = NMnist
