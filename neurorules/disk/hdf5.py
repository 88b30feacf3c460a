"""Reading HDF5 files that may be damaged, and writing them so that a full disk does not crash the process.

If HDF5 cannot finish writing a file, it cannot close it either: the file stays open in the library, which tries again
when the process exits, and crashes. This module therefore hides write failures from HDF5. A file that is written as a
whole goes through a Python file object that accepts everything, and space for a growing file is reserved on the disk
beforehand. If that also fails, the file descriptor is redirected to memory, so that the library can close it.
"""

from __future__ import annotations

import ctypes
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
"""The errors that h5py raises for a damaged file."""
ATTEMPTS = 24
"""Number of times that HDF5 reads a block which another process may be writing before it calls the file damaged. It
waits between attempts, first one nanosecond and then twice as long each time, 17 ms in total."""
NUMBER = re.compile(r"\berrno = (\d+)")
"""A pattern for the system's error number in messages of HDF5."""


@contextmanager
def hdf5_writing(path: Path) -> Iterator[None]:
    """A context in which an open HDF5 file is closed even if the block, or a library that it calls, fails to write it.

    Raises:
        OSError: the file cannot be written. The error carries the system's number and the name of the file.
    """
    try:
        yield
    except (OSError, RuntimeError) as error:
        reason = _system_error(error)
        let_go(path)
        if reason is None:
            raise
        raise OSError(reason, os.strerror(reason), str(path)) from None


def open_while_written(path: Path) -> h5py.File:
    """Open a file that another process writes in HDF5's single-writer mode, or was killed while it wrote.

    A block with a wrong checksum may be incomplete, so HDF5 reads it again, by default a hundred times with doubling
    waits, which never ends if the writer was killed. Here it reads it `ATTEMPTS` times.

    Raises:
        OSError: the file is not an HDF5 file, or is damaged.
    """
    access = h5py.h5p.create(h5py.h5p.FILE_ACCESS)
    # The function exists in the HDF5 library that h5py is linked with, but h5py does not export it.
    ctypes.CDLL(h5py.h5.__file__).H5Pset_metadata_read_attempts(ctypes.c_int64(access.id), ctypes.c_uint(ATTEMPTS))
    return h5py.File(h5py.h5f.open(os.fsencode(path), h5py.h5f.ACC_RDONLY | h5py.h5f.ACC_SWMR_READ, fapl=access))


class PatientFile(io.RawIOBase):
    """A new file that accepts everything that HDF5 writes. Data that the disk refuses are kept in memory until closing.

    Args:
        path: where the file is created.
    """

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._path, self._file, self._at = path, path.open("w+b", buffering=0), 0
        self._end = 0
        self._refused: list[tuple[int, bytes]] = []
        self.refusal: int | None = None

    def check(self) -> None:
        """Raise an error if the disk has refused any data so far.

        Raises:
            OSError: the disk has refused data.
        """
        if self.refusal is not None:
            raise OSError(self.refusal, os.strerror(self.refusal), str(self._path))

    def readable(self) -> bool:
        """True: the file can be read."""
        return True

    def writable(self) -> bool:
        """True: the file can be written."""
        return True

    def seekable(self) -> bool:
        """True: the position in the file can be set."""
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Move the position at which the file is read or written.

        Args:
            offset: in bytes.
            whence: what the offset is counted from: the beginning, the position, or the end of the file, by the numbers
                of `os`.

        Returns:
            The new position, in bytes from the beginning.
        """
        self._at = offset + {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._end}[whence]
        return self._at

    def tell(self) -> int:
        """The position, in bytes from the beginning."""
        return self._at

    def readinto(self, buffer: Any) -> int:
        """Read into a buffer from the current position, including data that the disk refused; return the number of
        bytes."""
        view = memoryview(buffer).cast("B")
        many = max(0, min(len(view), self._end - self._at))
        stored = os.pread(self._file.fileno(), many, self._at)
        view[:many] = stored + bytes(many - len(stored))
        for start, piece in self._refused:
            first, last = max(start, self._at), min(start + len(piece), self._at + many)
            if first < last:
                view[first - self._at : last - self._at] = piece[first - start : last - start]
        self._at += many
        return many

    def write(self, data: Any) -> int:
        """Write at the current position, to the disk or, after the disk has refused data, to memory; return the number
        of bytes."""
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
        """Truncate or extend the file to a size in bytes, by default the current position; return the new size."""
        self._end = self._at if size is None else size
        if self.refusal is None:
            try:
                self._file.truncate(self._end)
            except OSError as error:
                self.refusal = error.errno
        return self._end

    def close(self) -> None:
        """Close the file without writing; data in memory are lost."""
        self._file.close()
        super().close()


def drop(file: h5py.File, path: Path) -> None:
    """Close a file that is removed next, also where it cannot be written.

    Args:
        file: the file, which may be closed already.
        path: its path, as HDF5 knows it.
    """
    with suppress(OSError, RuntimeError), hdf5_writing(path):
        file.close()


def let_go(path: Path) -> None:
    """Close a file in the HDF5 library even if it is incomplete; data that are not on the disk yet are lost."""
    for file in _open_files(path):
        nowhere = _nowhere()
        try:
            os.dup2(nowhere, file.get_vfd_handle())
        finally:
            os.close(nowhere)
        for part in h5py.h5f.get_obj_ids(file, h5py.h5f.OBJ_ALL & ~h5py.h5f.OBJ_FILE):
            with suppress(RuntimeError, OSError, ValueError):
                part._close()
        with suppress(RuntimeError, OSError, ValueError):
            while h5py.h5i.get_ref(file) > 1:  # the object that opened the file counts as well
                h5py.h5i.dec_ref(file)
            file.close()


def _open_files(path: Path) -> list[h5py.h5f.FileID]:
    """All files with this path that are open in the HDF5 library."""
    files = h5py.h5f.get_obj_ids(h5py.h5f.OBJ_ALL, h5py.h5f.OBJ_FILE)
    return [file for file in files if os.fsdecode(file.name) == str(path)]


def _nowhere() -> int:
    """The descriptor of a new file without a name."""
    if hasattr(os, "memfd_create"):
        return os.memfd_create("neurorules")
    handle, name = tempfile.mkstemp()
    os.unlink(name)
    return handle


def _system_error(error: BaseException | None) -> int | None:
    """The system's error number of an error or of one of its causes; None if there is none."""
    while error is not None:
        if isinstance(error, OSError) and error.errno:
            return error.errno
        match = NUMBER.search(str(error))
        if match is not None:
            return int(match[1])
        error = error.__cause__ or error.__context__
    return None
