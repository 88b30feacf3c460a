"""The layout of a trace file (HDF5), n samples of T steps, k snapshots:

    /                              attributes: format, format_version, header (JSON), steps, rule, dt_ms, seed
    /count                         (2,) samples and snapshots that are whole; written last
    /samples                       (n, 4) int64; attribute columns: index, label, prediction, epoch
    /layers/LAYER                  attributes: shape, variables
    /layers/LAYER/VARIABLE         (n, T, N) float32, compressed, with checksums; attribute: unit; `S` is not among them
    /spikes/data                   bytes: blocks of spikes of all layers, one after the other (`spike_codes`)
    /spikes/blocks                 (blocks, 8) int64; attribute columns: `BLOCK_COLUMNS`
    /snapshots/taken               (k, 2) int64; attribute columns: epochs done, samples recorded before
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
BLOCK_COLUMNS = ("layer", "first_sample", "samples", "code", "spikes", "marks", "end", "checksum")
"""Of a block: its layer's place in the header, first sample and how many, how it is written, spikes, bytes of marks,
where its bytes end, and their CRC-32."""
COUNT, SAMPLES, TAKEN, PARAMETERS = "count", "samples", "snapshots/taken", "snapshots/parameters"
DATA, BLOCKS, VARIABLES = "spikes/data", "spikes/blocks", "variables"
ROWS_OF_CHUNK = 256
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
    whole_numbers(file, SAMPLES, SAMPLE_COLUMNS)
    whole_numbers(file, BLOCKS, BLOCK_COLUMNS)
    whole_numbers(file, TAKEN, SNAPSHOT_COLUMNS)
    chunk = min(max(1 << (block - 1).bit_length(), LEAST_BYTES), MOST_BYTES)
    file.create_dataset(DATA, (0,), np.uint8, maxshape=(None,), chunks=(chunk,))
    file.create_group("layers")
    for layer, shape in header.layers.items():
        group = file.create_group(f"layers/{layer}")
        group.attrs["shape"], group.attrs[VARIABLES] = shape, ",".join(variables.get(layer, []))
        for name in variables.get(layer, []):
            if name != SPIKES:
                growing(group, name, (steps, header.neurons(layer))).attrs["unit"] = header.units.get(name, "")
    for name, shape in header.parameters.items():
        growing(file, f"{PARAMETERS}/{name}", shape)


def growing(group: h5py.Group, name: str, row: tuple[int, ...]) -> h5py.Dataset:
    """Rows of numbers, one chunk each: a compressed chunk that is written again leaves its old space unused."""
    shape = {"shape": (0, *row), "maxshape": (None, *row), "chunks": (1, *(max(1, length) for length in row))}
    return group.create_dataset(
        name, dtype=np.float32, compression="gzip", compression_opts=1, shuffle=True, fletcher32=True, **shape
    )


def whole_numbers(group: h5py.Group, name: str, columns: tuple[str, ...]) -> None:
    """Rows of whole numbers; not compressed, so that they grow in place, with a checksum."""
    many = len(columns)
    shape = {"shape": (0, many), "maxshape": (None, many), "chunks": (ROWS_OF_CHUNK, many)}
    made = group.create_dataset(name, dtype=np.int64, fletcher32=True, **shape)
    made.attrs["columns"] = ",".join(columns)


def put(data: h5py.Dataset, before: int, rows: np.ndarray) -> None:
    """Write rows behind the first `before` ones; what stood there goes."""
    found = np.ascontiguousarray(rows, data.dtype)
    # Straight to the library: h5py's own indexing takes longer than writing a few numbers.
    data.id.set_extent((before + len(found), *found.shape[1:]))
    if not found.size:
        return
    place = data.id.get_space()
    place.select_hyperslab((before, *(0 for _ in found.shape[1:])), found.shape)
    data.id.write(h5py.h5s.create_simple(found.shape), place, found)
