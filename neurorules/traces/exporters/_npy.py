"""A NumPy .npy file for an array whose length is not known in advance, and the archive that contains it."""

from __future__ import annotations

import os
import time
import zipfile
from pathlib import Path
from types import TracebackType

import numpy as np
from numpy.lib import format as npy

FIRST_DATE = time.mktime((1980, 1, 1, 0, 0, 0, 0, 0, -1))
"""The earliest date that ZIP knows, in seconds; archives hold local time."""


class GrowingNpy:
    """An .npy file that rows are appended to. Use it as a context manager.

    Args:
        path: the new file.
        kind: dtype of the array.
        row: shape of one row, () for a column of numbers.
    """

    def __init__(self, path: Path, kind: np.dtype | type, row: tuple[int, ...] = ()) -> None:
        self.kind, self.row, self.length = np.dtype(kind), row, 0
        self._file = path.open("wb")
        self._write_header()

    def __enter__(self) -> GrowingNpy:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._file:
            self._file.seek(0)
            self._write_header()

    def append(self, rows: np.ndarray) -> None:
        """Append rows (n, *row) to the file."""
        self._file.write(np.ascontiguousarray(rows, self.kind).tobytes())
        self.length += len(rows)

    def _write_header(self) -> None:
        # NumPy leaves room for the first axis to grow, so the last header is as long as the first.
        npy.write_array_header_1_0(
            self._file,
            {"descr": npy.dtype_to_descr(self.kind), "fortran_order": False, "shape": (self.length, *self.row)},
        )


def pack(archive: zipfile.ZipFile, name: str, path: Path) -> None:
    """Put a file into an archive, with the earliest date of ZIP, so that equal contents give equal bytes.

    Args:
        archive: an archive that is open for writing, with its way of compression.
        name: the name of the new entry.
        path: the file.
    """
    os.utime(path, (FIRST_DATE, FIRST_DATE))
    archive.write(path, name)
