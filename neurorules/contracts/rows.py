"""Selected rows of a large array, read on demand, so that a memory-mapped file is never read into memory as a whole."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from jaxtyping import Shaped

LARGE = 1 << 30
"""Size in bytes above which rows of an array are not copied."""


class Rows:
    """Rows of an array at some indices, in that order, with the part of the array interface that encoders use.

    Args:
        array: (N, *row), in memory or memory-mapped.
        places: (n,) integer indices, 0 .. N - 1.
    """

    def __init__(self, array: Shaped[np.ndarray, "N *row"], places: Shaped[np.ndarray, "n"]) -> None:
        self.array, self.places = array, places

    def __len__(self) -> int:
        return len(self.places)

    def __getitem__(self, key: Any) -> Shaped[np.ndarray, "_ *row"]:
        """The rows at these positions, a slice or an array of integers."""
        return np.asarray(self.array[self.places[key]])

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape (n, *row) of the selected rows."""
        return len(self.places), *self.array.shape[1:]

    @property
    def dtype(self) -> np.dtype:
        """The NumPy type of the values."""
        return self.array.dtype

    @property
    def ndim(self) -> int:
        """The number of axes, including that of the rows."""
        return self.array.ndim

    @property
    def size(self) -> int:
        """The number of values in all rows."""
        return math.prod(self.shape)


def rows_of(samples: Any, places: Shaped[np.ndarray, "n"], large: int = LARGE) -> Any:
    """Select samples by index: a copy, or `Rows` if the array is large.

    Args:
        samples: an array, or recordings, which support indexing by themselves.
        places: (n,) integer indices.
        large: size in bytes above which an array counts as large.

    Returns:
        The selected samples, of the same kind.
    """
    if isinstance(samples, np.ndarray) and samples.nbytes >= large:
        return Rows(samples, places)
    return samples[places]
