"""Rows that are gathered one batch after another: in memory, and in a file of the cache where they are many."""

from __future__ import annotations

import os
import tempfile
import weakref
from pathlib import Path
from typing import BinaryIO

import numpy as np

from neurorules.disk.cache_folder import cache_folder
from neurorules.disk.failures import FULL
from neurorules.language.errors import UserError

LARGE = 1 << 30
"""Bytes from which on the rows are kept in a file, which is mapped into memory and goes with the array."""


class Growing:
    """An array that grows along its first axis; rows are uint8 or float32, or of a type of their own."""

    def __init__(self, large: int = LARGE) -> None:
        self.large, self.size, self.rows = large, 0, 0
        self.pieces: list[np.ndarray] = []
        self.file: BinaryIO | None = None
        self.row: tuple[tuple[int, ...], np.dtype] | None = None

    def add(self, rows: np.ndarray) -> None:
        """Take rows, (n, *row), all of one shape and type.

        Raises:
            UserError: the disk is full.
        """
        self.row = self.row or (rows.shape[1:], rows.dtype)
        self.size, self.rows = self.size + rows.nbytes, self.rows + len(rows)
        self.pieces.append(rows)
        if len(self.pieces) > 1 and self.size > self.large:
            self._write()

    def _write(self) -> None:
        try:
            if self.file is None:
                folder = cache_folder() / "gathered"
                folder.mkdir(parents=True, exist_ok=True)
                handle, _ = path = tempfile.mkstemp(dir=folder, suffix=".rows")
                self.file = os.fdopen(handle, "wb")
                self.path = Path(path[1])
            for piece in self.pieces:
                self.file.write(np.ascontiguousarray(piece).data)
        except OSError as error:
            if self.file is not None:
                self.path.unlink(missing_ok=True)
            if error.errno not in FULL and self.file is not None:
                raise
            raise UserError(
                f"data larger than {self.large} bytes are kept in {cache_folder()} while they are used, and that fails "
                f"({error.strerror}). Name another folder with the environment's NEURORULES_CACHE, or use less data"
            ) from None
        self.pieces = []

    def finish(self, empty: np.dtype) -> np.ndarray:
        """All rows, in memory or memory-mapped.

        Args:
            empty: type of the array where there is no row.
        """
        if self.row is None:
            return np.zeros(0, empty)
        if self.file is None:
            return self.pieces[0] if len(self.pieces) == 1 else np.concatenate(self.pieces)
        self._write()
        self.file.close()
        shape, kind = self.row
        array = np.memmap(self.path, kind, "r", shape=(self.rows, *shape))
        weakref.finalize(array, self.path.unlink, missing_ok=True)
        return array
