"""Some rows of a large array, fetched when they are asked for: a mapped file is never read into memory whole."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from jaxtyping import Shaped

LARGE = 1 << 30
"""Bytes from which on rows of an array are not copied."""


class Rows:
    """Rows of an array at some places, in that order, with the parts of an array's interface that encoders read.

    Args:
        array: (N, *row), in memory or memory-mapped.
        places: (n,) whole numbers, 0 .. N - 1.
    """

    def __init__(self, array: Shaped[np.ndarray, "N *row"], places: Shaped[np.ndarray, "n"]) -> None:
        self.array, self.places = array, places

    def __len__(self) -> int:
        return len(self.places)

    def __getitem__(self, key: Any) -> Shaped[np.ndarray, "_ *row"]:
        """The rows at some of the places: a slice or an array of numbers."""
        return np.asarray(self.array[self.places[key]])

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape (n, *row) of the chosen rows."""
        return len(self.places), *self.array.shape[1:]

    @property
    def dtype(self) -> np.dtype:
        """The NumPy type of the values."""
        return self.array.dtype

    @property
    def ndim(self) -> int:
        """The number of axes, that of the rows included."""
        return self.array.ndim

    @property
    def size(self) -> int:
        """The number of values in all rows together."""
        return math.prod(self.shape)


def rows_of(samples: Any, places: Shaped[np.ndarray, "n"], large: int = LARGE) -> Any:
    """The samples at some places: a copy, or of a large array, `Rows`.

    Args:
        samples: an array, or recordings, which cut themselves.
        places: (n,) whole numbers.
        large: bytes from which on an array is large.

    Returns:
        Samples of the same kind.
    """
    if isinstance(samples, np.ndarray) and samples.nbytes >= large:
        return Rows(samples, places)
    return samples[places]
