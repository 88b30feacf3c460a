"""Arrays that hdmf writes block by block; this module is imported only if pynwb is installed."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from hdmf.backends.hdf5.h5_utils import H5DataIO
from hdmf.data_utils import AbstractDataChunkIterator, DataChunk


class Stream(AbstractDataChunkIterator):
    """Blocks of rows, concatenated along the first axis.

    Args:
        blocks: arrays (n, *row).
        shape: the shape of the concatenated blocks.
        kind: dtype.
    """

    def __init__(self, blocks: Iterator[np.ndarray], shape: tuple[int, ...], kind: type) -> None:
        self._blocks, self._shape, self._kind = blocks, shape, np.dtype(kind)
        self._end = 0

    def __iter__(self) -> Stream:
        return self

    def __next__(self) -> DataChunk:
        block = next(self._blocks)
        first, self._end = self._end, self._end + len(block)
        rest = (slice(0, length) for length in self._shape[1:])
        return DataChunk(data=block, selection=(slice(first, self._end), *rest))

    def recommended_chunk_shape(self) -> tuple[int, ...]:
        row = max(1, int(np.prod(self._shape[1:])))
        return (max(1, min(self._shape[0], (1 << 16) // row)), *(max(1, length) for length in self._shape[1:]))

    def recommended_data_shape(self) -> tuple[int, ...]:
        return self._shape

    @property
    def dtype(self) -> np.dtype:
        return self._kind

    @property
    def maxshape(self) -> tuple[int, ...]:
        return self._shape


def streamed(blocks: Iterator[np.ndarray], shape: tuple[int, ...], kind: type) -> H5DataIO | np.ndarray:
    """Blocks as data for pynwb, compressed."""
    if not min(shape):
        return np.zeros(shape, kind)
    return H5DataIO(data=Stream(blocks, shape, kind), compression="gzip", shuffle=True)
