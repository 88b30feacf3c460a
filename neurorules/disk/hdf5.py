"""What HDF5 does where a file is damaged, and where it cannot be written.

A file that HDF5 cannot write to its end is one that it cannot close: it stays open in the library, which tries again
when the process exits, and falls over. So HDF5 hears of no failure here: what is written as a whole goes through a file
that takes everything, and what grows has its room before it is written. Where that fails too, a file gets another end:
its descriptor leads to memory that nobody reads, and the library can close it.
"""

from __future__ import annotations

import io
import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import h5py

UNREADABLE = (OSError, RuntimeError, KeyError, ValueError)
"""What h5py raises where a file is damaged."""
NUMBER = re.compile(r"\berrno = (\d+)")
"""How HDF5 tells the system's error."""


@contextmanager
def hdf5_writing(path: Path) -> Iterator[None]:
    """Whatever writes an open HDF5 file inside the block, of ours or of another library, can fail and be closed.

    Raises:
        OSError: the file cannot be written; with the system's number and the file's name.
    """
    try:
        yield
    except (OSError, RuntimeError) as error:
        reason = _system_error(error)
        let_go(path)
        if reason is None:
            raise
        raise OSError(reason, os.strerror(reason), str(path)) from None


class PatientFile(io.RawIOBase):
    """A new file that takes whatever HDF5 writes: what the disk refuses stands in memory, until the file is closed.

    Args:
        path: of the file.
    """

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._path, self._file, self._at = path, path.open("w+b", buffering=0), 0
        self._end = 0
        self._refused: list[tuple[int, bytes]] = []
        self.refusal: int | None = None

    def check(self) -> None:
        """Whether the disk has taken everything so far.

        Raises:
            OSError: it has not.
        """
        if self.refusal is not None:
            raise OSError(self.refusal, os.strerror(self.refusal), str(self._path))

    def readable(self) -> bool:
        """Always."""
        return True

    def writable(self) -> bool:
        """Always."""
        return True

    def seekable(self) -> bool:
        """Always."""
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Go to a place; its number."""
        self._at = offset + {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._end}[whence]
        return self._at

    def tell(self) -> int:
        """The place."""
        return self._at

    def readinto(self, buffer: Any) -> int:
        """Read on, what the disk refused included; how many bytes."""
        view = memoryview(buffer).cast("B")
        many = max(0, min(len(view), self._end - self._at))
        found = os.pread(self._file.fileno(), many, self._at)
        view[:many] = found + bytes(many - len(found))
        for start, piece in self._refused:
            first, last = max(start, self._at), min(start + len(piece), self._at + many)
            if first < last:
                view[first - self._at : last - self._at] = piece[first - start : last - start]
        self._at += many
        return many

    def write(self, data: Any) -> int:
        """Write on, to the disk or, once it has refused, to memory; how many bytes."""
        view = memoryview(data).cast("B")
        done = 0
        while done < len(view) and self.refusal is None:
            try:
                done += os.pwrite(self._file.fileno(), view[done:], self._at + done)
            except OSError as error:
                self.refusal = error.errno
        if done < len(view):
            self._refused.append((self._at + done, bytes(view[done:])))
        self._at += len(view)
        self._end = max(self._end, self._at)
        return len(view)

    def truncate(self, size: int | None = None) -> int:
        """Let the file end at a place, by default the present one."""
        self._end = self._at if size is None else size
        if self.refusal is None:
            try:
                self._file.truncate(self._end)
            except OSError as error:
                self.refusal = error.errno
        return self._end

    def close(self) -> None:
        """Close the file; what stands in memory is given up."""
        self._file.close()
        super().close()


def let_go(path: Path) -> None:
    """Close a file in the library, wherever its writing stands; what is not on the disk yet is given up."""
    for file in _open_files(path):
        nowhere = _nowhere()
        try:
            os.dup2(nowhere, file.get_vfd_handle())
        finally:
            os.close(nowhere)
        for held in h5py.h5f.get_obj_ids(file, h5py.h5f.OBJ_ALL & ~h5py.h5f.OBJ_FILE):
            with suppress(RuntimeError, OSError, ValueError):
                held._close()
        with suppress(RuntimeError, OSError, ValueError):
            file.close()


def _open_files(path: Path) -> list[h5py.h5f.FileID]:
    found = h5py.h5f.get_obj_ids(h5py.h5f.OBJ_ALL, h5py.h5f.OBJ_FILE)
    return [file for file in found if os.fsdecode(file.name) == str(path)]


def _nowhere() -> int:
    """A file without a name."""
    if hasattr(os, "memfd_create"):
        return os.memfd_create("neurorules")
    handle, name = tempfile.mkstemp()
    os.unlink(name)
    return handle


def _system_error(error: BaseException | None) -> int | None:
    """The system's number of an error, or of the one behind it."""
    while error is not None:
        if isinstance(error, OSError) and error.errno:
            return error.errno
        found = NUMBER.search(str(error))
        if found is not None:
            return int(found[1])
        error = error.__cause__ or error.__context__
    return None
