"""Opens trace files that were never closed, and those that are cut off; says what of them is whole.

HDF5 refuses both: its superblock says that somebody still writes, or that the file ends later than it does. Here it
reads through a window that shows a superblock of a closed file and zeros behind the cut. What lies behind the cut then
fails its checksum, or its place is seen to lie there.
"""

from __future__ import annotations

import io
import os
import struct
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import h5py

from neurorules.disk.hdf5 import UNREADABLE
from neurorules.traces.layout import BLOCKS, COUNT, DATA, PARAMETERS, ROWS_OF_CHUNK, SAMPLES, TAKEN

SUPERBLOCK = 48
"""Bytes of a superblock of version 3: flags at 11, end of file at 28, checksum at 44. Source: HDF5 file format 3.0."""
FLAGS, END, CHECKSUM = 11, slice(28, 36), slice(44, 48)
BEHIND = 1 << 30
"""Zeros shown behind a file that was never closed: how long it has been is not known."""


class Opened(NamedTuple):
    """An open trace; `cut` is its length on the disk where it was cut off or never closed, else None."""

    file: h5py.File
    cut: int | None


def open_trace(path: Path) -> Opened:
    """Open a trace that was closed, is being written, was left by a killed writer, or is cut off.

    Raises:
        OSError: it is none of these.
    """
    with path.open("rb") as file:
        head = file.read(SUPERBLOCK)
    length = path.stat().st_size
    if len(head) < SUPERBLOCK or head[8] < 2:
        return Opened(h5py.File(path, "r"), None)
    end = int.from_bytes(head[END], "little")
    if head[FLAGS] == 0 and length >= end:
        return Opened(h5py.File(path, "r"), None)
    shown = max(end, length) + (BEHIND if head[FLAGS] else 0)
    return Opened(h5py.File(_Window(path, shown), "r"), length)


class _Window(io.RawIOBase):
    """A file as if it had been closed at `shown` bytes; zeros stand where it has none."""

    def __init__(self, path: Path, shown: int) -> None:
        super().__init__()
        self._file = path.open("rb")
        self._shown, self._at = shown, 0
        head = bytearray(self._file.read(SUPERBLOCK))
        head[FLAGS], head[END] = 0, shown.to_bytes(8, "little")
        head[CHECKSUM] = lookup3(bytes(head[: CHECKSUM.start])).to_bytes(4, "little")
        self._head = bytes(head)

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        self._at = offset + {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._shown}[whence]
        return self._at

    def tell(self) -> int:
        return self._at

    def readinto(self, buffer: Any) -> int:
        view = memoryview(buffer).cast("B")
        many = max(0, min(len(view), self._shown - self._at))
        found = os.pread(self._file.fileno(), many, self._at)
        view[:many] = found + bytes(many - len(found))
        if self._at < SUPERBLOCK:
            part = self._head[self._at : self._at + many]
            view[: len(part)] = part
        self._at += many
        return many

    def close(self) -> None:
        self._file.close()
        super().close()


def lookup3(key: bytes) -> int:
    """The checksum of HDF5's metadata, 32 bits, of a key whose length is no multiple of 12.

    Source: B. Jenkins (2006), lookup3, function hashlittle with initval 0; HDF5 file format 3.0.
    """
    whole, rest = divmod(len(key), 12)
    a = b = c = (0xDEADBEEF + len(key)) & 0xFFFFFFFF
    for number in range(whole):
        x, y, z = struct.unpack_from("<3I", key, 12 * number)
        a, b, c = _mix(a + x, b + y, c + z)
    x, y, z = struct.unpack("<3I", key[12 * whole :] + bytes(12 - rest))
    return _final(a + x, b + y, c + z)


def _rotated(x: int, by: int) -> int:
    x &= 0xFFFFFFFF
    return (x << by | x >> 32 - by) & 0xFFFFFFFF


def _mix(a: int, b: int, c: int) -> tuple[int, int, int]:
    for by in (4, 6, 8, 16, 19, 4):  # after three rounds the roles of a, b, c are where they began
        a = a - c ^ _rotated(c, by)
        c = c + b
        a, b, c = b, c, a
    return a & 0xFFFFFFFF, b & 0xFFFFFFFF, c & 0xFFFFFFFF


def _final(a: int, b: int, c: int) -> int:
    for by in (14, 11, 25, 16, 4, 14, 24):
        c = (c ^ b) - _rotated(b, by)
        a, b, c = b, c, a
    return b & 0xFFFFFFFF  # c of the last round


def whole_samples(opened: Opened) -> int:
    """How many samples, from the first on, are there in full."""
    file, many = opened.file, int(opened.file[COUNT][0])
    if opened.cut is None:
        return many
    many = min(many, _rows(file[SAMPLES], opened.cut, ROWS_OF_CHUNK), _samples_of_blocks(file, opened.cut))
    layers = file["layers"]
    for group in (layers[layer] for layer in layers):  # asked by name, what is missing raises
        for name in group:
            many = min(many, _rows(group[name], opened.cut, 1))
    return many


def whole_snapshots(opened: Opened) -> int:
    """How many snapshots of the parameters, from the first on, are there in full."""
    file, many = opened.file, int(opened.file[COUNT][1])
    if opened.cut is None:
        return many
    kept = file.get(PARAMETERS, ())
    found = [_rows(kept[name], opened.cut, 1) for name in kept]
    return min([many, _rows(file[TAKEN], opened.cut, ROWS_OF_CHUNK), *found])


def _samples_of_blocks(file: h5py.File, cut: int) -> int:
    """Samples whose spikes are there, of every layer: those before the first block that is not."""
    blocks, data, many = file[BLOCKS], file[DATA], int(file[COUNT][0])
    if not len(blocks):
        return many
    known = blocks[: min(len(blocks), _rows(blocks, cut, ROWS_OF_CHUNK))]
    there = 0
    for address, size in _chunks(data):
        there += min(size, max(0, cut - address))
        if address + size > cut:
            break
    lost = known[known[:, 6] > there]
    if len(lost):
        return int(lost[0, 1])
    if len(known) == len(blocks):
        return many
    return int(known[-1, 1]) if len(known) else 0  # blocks of its samples may be among those not known


def _rows(data: h5py.Dataset, cut: int, rows_of_chunk: int) -> int:
    """Rows whose chunks lie before the cut, from the first on."""
    many = 0
    for address, size in _chunks(data):
        if address + size > cut:
            break
        many += rows_of_chunk
    return many


def _chunks(data: h5py.Dataset) -> Iterator[tuple[int, int]]:
    """Address and size of a data set's chunks, from the first on, as far as they are known."""
    found: dict[int, tuple[int, int]] = {}
    length = data.chunks[0]

    def note(info: object) -> None:
        found[info.chunk_offset[0] // length] = (info.byte_offset, info.size)  # type: ignore[attr-defined]

    with suppress(*UNREADABLE):  # where the list itself is cut off, what came until there is known
        data.id.chunk_iter(note)
    for number in range(len(found)):
        if number not in found:
            return
        yield found[number]
