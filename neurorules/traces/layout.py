"""The layout of a trace file (HDF5), n samples of T steps, k snapshots:

    /                              attributes: format, format_version, header (JSON), steps, rule, dt_ms, seed
    /count                         (2,) samples and snapshots that are whole; written last
    /samples/index|label|prediction|epoch     (n,) int64
    /layers/LAYER                  attribute: shape
    /layers/LAYER/S/data           bytes: blocks of spikes, one after the other (`spike_codes`)
    /layers/LAYER/S/blocks         (blocks, 7) int64: `BLOCK_COLUMNS`
    /layers/LAYER/VARIABLE         (n, T, N) float32, compressed, with checksums; attribute: unit
    /snapshots/epoch|samples       (k,) int64: when parameters were kept; epochs done, samples recorded before
    /snapshots/parameters/NAME     (k, *shape) float32

Everything that describes data lies before them, and data lie in the order of samples: a file that is cut off still says
what is before the cut.
"""

from __future__ import annotations

from collections.abc import Mapping

import h5py
import numpy as np

from neurorules.traces.header import TraceHeader

FORMAT, FORMAT_VERSION = "neurorules-trace", 2
SPIKES = "S"

# Event columns: step, neuron, and the spike's value (1, or a count or grade where the neuron has one).
EVENTS = {"t": np.int32, "neuron": np.int32, "value": np.float32}
SAMPLE_COLUMNS = ("index", "label", "prediction", "epoch")
SNAPSHOT_COLUMNS = ("epoch", "samples")
BLOCK_COLUMNS = ("first_sample", "samples", "code", "spikes", "marks", "end", "checksum")
"""Of a block: its first sample, how many, how it is written, spikes, bytes of marks, where its bytes end, CRC-32."""
COUNT, SAMPLES, SNAPSHOTS, PARAMETERS, DATA, BLOCKS = "count", "samples", "snapshots", "parameters", "data", "blocks"
ROWS_OF_CHUNK = 64
LEAST_BYTES, MOST_BYTES = 1 << 12, 1 << 18
"""Of a chunk of `data`: it is about what one block takes."""


def lay_out(
    file: h5py.File, header: TraceHeader, steps: int, variables: Mapping[str, list[str]], block: int
) -> None:  # fmt: skip
    """Make all data sets: none can be added once the single-writer mode is on.

    Args:
        file: new.
        header: what the file says about itself.
        steps: T.
        variables: recorded of each layer.
        block: bytes that a first block of spikes takes.
    """
    file.attrs.update(format=FORMAT, format_version=FORMAT_VERSION, header=header.to_text(), steps=steps)
    for key in ("rule", "dt_ms", "seed"):  # readable without our JSON, in any HDF5 viewer
        file.attrs[key] = getattr(header, key)
    file.create_dataset(COUNT, data=np.zeros(2, np.int64))
    for name in SAMPLE_COLUMNS:
        whole_numbers(file, f"{SAMPLES}/{name}", ())
    chunk = min(max(1 << (block - 1).bit_length(), LEAST_BYTES), MOST_BYTES)
    for layer, shape in header.layers.items():
        group = file.create_group(f"layers/{layer}")
        group.attrs["shape"] = shape
        for name in variables.get(layer, []):
            if name == SPIKES:
                group.create_dataset(f"{SPIKES}/{DATA}", (0,), np.uint8, maxshape=(None,), chunks=(chunk,))
                whole_numbers(group, f"{SPIKES}/{BLOCKS}", (len(BLOCK_COLUMNS),))
            else:
                growing(group, name, (steps, header.neurons(layer))).attrs["unit"] = header.units.get(name, "")
    for name in SNAPSHOT_COLUMNS:
        whole_numbers(file, f"{SNAPSHOTS}/{name}", ())
    for name, shape in header.parameters.items():
        growing(file, f"{SNAPSHOTS}/{PARAMETERS}/{name}", shape)


def growing(group: h5py.Group, name: str, row: tuple[int, ...]) -> h5py.Dataset:
    """Rows of numbers, one chunk each: a compressed chunk that is written again leaves its old space unused."""
    shape = {"shape": (0, *row), "maxshape": (None, *row), "chunks": (1, *(max(1, length) for length in row))}
    return group.create_dataset(
        name, dtype=np.float32, compression="gzip", compression_opts=1, shuffle=True, fletcher32=True, **shape
    )


def whole_numbers(group: h5py.Group, name: str, row: tuple[int, ...]) -> h5py.Dataset:
    """Rows of whole numbers; not compressed, so that they grow in place, with a checksum."""
    chunks = (ROWS_OF_CHUNK, *row)
    return group.create_dataset(name, (0, *row), np.int64, maxshape=(None, *row), chunks=chunks, fletcher32=True)


def put(data: h5py.Dataset, before: int, rows: np.ndarray) -> None:
    """Write rows behind the first `before` ones; what stood there goes."""
    data.resize(before + len(rows), axis=0)
    data[before:] = rows


def put_early(data: h5py.Dataset, before: int, rows: np.ndarray) -> None:
    """The same of what describes data: a new chunk finds its place in the file before the data it speaks of."""
    put(data, before, rows)
    if (before - 1) // ROWS_OF_CHUNK != (before + len(rows) - 1) // ROWS_OF_CHUNK:
        data.flush()
