"""What HDF5 does where a file is damaged, and where it cannot be written.

A file that HDF5 cannot write to its end is one that it cannot close: it stays open in the library, which tries again
when the process exits, and falls over. Here such a file gets another end: its descriptor leads to memory that nobody
reads, so that the library can close it.
"""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

UNREADABLE = (OSError, RuntimeError, KeyError, ValueError)
"""What h5py raises where a file is damaged."""
NUMBER = re.compile(r"\berrno = (\d+)")
"""How HDF5 tells the system's error."""


@contextmanager
def hdf5_writing(path: Path) -> Iterator[None]:
    """Whatever writes an HDF5 file inside the block, of ours or of another library, can fail without a second failure.

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


def let_go(path: Path) -> None:
    """Close a file in the library, wherever its writing stands; what is not on the disk yet is given up."""
    import h5py

    for file in h5py.h5f.get_obj_ids(h5py.h5f.OBJ_ALL, h5py.h5f.OBJ_FILE):
        if os.fsdecode(file.name) != str(path):
            continue
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
