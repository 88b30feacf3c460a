"""The first bytes of a trace, which say whether the file was closed and how many bytes were flushed.

HDF5 lets applications use the user block at the beginning of a file. Here it contains a line of text that is read
before HDF5 opens the file, because HDF5 itself never finishes reading a truncated file that was not closed.
"""

from __future__ import annotations

import os
from pathlib import Path

import h5py

from neurorules.disk.hdf5 import open_while_written
from neurorules.language.errors import UserError

USER_BLOCK = 512
"""The number of bytes, the smallest that HDF5 allows. Source: HDF5 reference manual, H5Pset_userblock."""
MARK = b"neurorules-trace"
OPEN, CLOSED = "open", "closed"
CONSISTENCY_FLAGS = 11
"""The byte of a superblock of version 3 that is 0 in a closed file. Source: HDF5 file format 3.0, section II.A."""


def mark(descriptor: int, state: str, size: int) -> None:
    """Write the state that a reader has to know before HDF5 opens the file.

    Args:
        descriptor: the descriptor of the file, open to be written.
        state: `OPEN` or `CLOSED`.
        size: the number of bytes of the file that were flushed, >= 0.
    """
    line = MARK + f" {state} {size}\n".encode()
    os.pwrite(descriptor, line.ljust(USER_BLOCK, b"\0"), 0)


def open_trace(path: Path) -> h5py.File:
    """Open a trace that was closed, that is being written, or whose writer was killed.

    A file that was not closed is read in HDF5's single-writer mode, in which everything that was flushed can be read.

    Raises:
        UserError: the file is shorter than its flushed part.
        OSError: it is no HDF5 file, or it is damaged.
        ValueError: its first line is damaged.
    """
    with path.open("rb") as file:
        head = file.read(USER_BLOCK)
    if not head.startswith(MARK):  # the file is a trace of format 2, or no trace
        unclosed = len(head) > CONSISTENCY_FLAGS and head[8] == 3 and head[CONSISTENCY_FLAGS] > 0
        return open_while_written(path) if unclosed else h5py.File(path, "r")
    state, size = head.split(b"\n")[0].decode("ascii").split()[1:]
    if state not in (OPEN, CLOSED):
        raise ValueError(f"the first line says '{state}'")
    length = path.stat().st_size
    if length < int(size):
        raise UserError(f"{path} is cut off: it has {length} of {int(size)} bytes. Copy it again, or record it again")
    return open_while_written(path) if state == OPEN else h5py.File(path, "r")
