"""The layout of a trace file (HDF5), n samples of T steps, k snapshots:

    user block, 512 bytes          a line of text, see `user_block`
    /                              attributes: format, format_version, header (JSON), steps, rule, dt_ms, seed
    /count                         (2,) samples and snapshots that are whole; written last
    /samples                       (n, 4) int64; attribute columns: index, label, prediction, epoch
    /layers/LAYER                  attributes: shape, variables
    /layers/LAYER/VARIABLE         (n, T, N) float32; attribute: unit; `S` is not among them
    /spikes/LAYER/bits             (n, T, N / 8 rounded up) uint8; numpy.unpackbits(row, axis=1, count=N) is `S`
    /spikes/LAYER/values           (<= n, T, N) float32; 1 where nothing was written: what spikes of a bit are worth
    /snapshots/taken               (k, 2) int64; attribute columns: epochs done, samples recorded before
    /snapshots/parameters/NAME     (k, *shape) float32

Every sample of a layer is a chunk of its own with a checksum, compressed except for dense bits. No chunk that was
flushed is written again, apart from the last one of each table of whole numbers.
"""

from __future__ import annotations

import h5py
import numpy as np

FORMAT, FORMAT_VERSION = "neurorules-trace", 3
OLDEST_VERSION = 2
SPIKES = "S"

# Event columns: step, neuron, and the spike's value (1, or a count or grade where the neuron has one).
EVENTS = {"t": np.int32, "neuron": np.int32, "value": np.float32}
SAMPLE_COLUMNS = ("index", "label", "prediction", "epoch")
SNAPSHOT_COLUMNS = ("epoch", "samples")
COUNT, SAMPLES, TAKEN, PARAMETERS = "count", "samples", "snapshots/taken", "snapshots/parameters"
BITS, VALUES, VARIABLES = "bits", "values", "variables"
ROWS_OF_CHUNK = 256


def growing(
    group: h5py.Group, name: str, row: tuple[int, ...], kind: type = np.float32, compressed: bool = True, fill: int = 0
) -> h5py.Dataset:  # fmt: skip
    """Make a data set of rows of numbers, each row a chunk with a checksum.

    Args:
        group: the group of the data set.
        name: the name of the data set.
        row: shape of a row.
        kind: type of its numbers.
        compressed: whether chunks are compressed by gzip.
        fill: the value of elements that were not written.

    Returns:
        The data set, without rows.
    """
    packing = {"compression": "gzip", "compression_opts": 1, "shuffle": True} if compressed else {}
    shape = {"shape": (0, *row), "maxshape": (None, *row), "chunks": (1, *(max(1, length) for length in row))}
    return group.create_dataset(name, dtype=kind, fillvalue=fill, fletcher32=True, **packing, **shape)


def whole_numbers(group: h5py.Group, name: str, columns: tuple[str, ...]) -> None:
    """Make a table of whole numbers with checksums; it is not compressed, so that it can grow in place.

    Args:
        group: the group of the data set.
        name: the name of the data set.
        columns: names of its columns.
    """
    many = len(columns)
    shape = {"shape": (0, many), "maxshape": (None, many), "chunks": (ROWS_OF_CHUNK, many)}
    table = group.create_dataset(name, dtype=np.int64, fletcher32=True, **shape)
    table.attrs["columns"] = ",".join(columns)


def put(data: h5py.Dataset, before: int, rows: np.ndarray) -> None:
    """Append rows to a data set.

    Args:
        data: the data set.
        before: the number of rows to keep, >= 0; later rows are replaced.
        rows: (n, *row).
    """
    written = np.ascontiguousarray(rows, data.dtype)
    # This calls the library directly, since h5py's indexing takes longer than writing a few numbers.
    data.id.set_extent((before + len(written), *written.shape[1:]))
    if not written.size:
        return
    place = data.id.get_space()
    place.select_hyperslab((before, *(0 for _ in written.shape[1:])), written.shape)
    data.id.write(h5py.h5s.create_simple(written.shape), place, written)
