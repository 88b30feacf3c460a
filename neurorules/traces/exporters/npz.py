"""NumPy's .npz: everything in the trace, without loss, for `numpy.load(path)`.

Keys, for n samples of T steps:

    header                        () text: the trace's header as JSON
    steps                         () T
    samples/index|label|prediction|epoch         (n,) int64
    LAYER/t|neuron|value|sample   (E,) one entry a spike; `sample` is the position in `samples/...`
    LAYER/VARIABLE                (n, T, N) float32, all variables but the spikes
"""

from __future__ import annotations

import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from neurorules.traces.blocks import dense_blocks, event_blocks
from neurorules.traces.exporters._npy import GrowingNpy, pack
from neurorules.traces.exporters._tables import dense_variables, sample_columns
from neurorules.traces.store import TraceReader
from neurorules.traces.writer import EVENTS, SPIKES


@dataclass(frozen=True)
class Npz:
    """Writes traces as compressed archives of NumPy.

    Args:
        compress: whether the arrays are deflated.
    """

    compress: bool = True

    def __call__(self, reader: TraceReader, out: Path) -> list[Path]:
        """Write all of `reader` to the file `out`."""
        method = zipfile.ZIP_DEFLATED if self.compress else zipfile.ZIP_STORED
        with (
            # An array's length is stored before the array, so each array is first written to a file of its own.
            tempfile.TemporaryDirectory(dir=out.parent, prefix=f".{out.stem}.") as folder,
            zipfile.ZipFile(out, "w", method, compresslevel=1 if self.compress else None) as archive,
        ):
            for key, path in _arrays(reader, Path(folder)):
                pack(archive, f"{key}.npy", path)
                path.unlink()
        return [out]


def _arrays(reader: TraceReader, folder: Path) -> Iterator[tuple[str, Path]]:
    whole = {"header": np.array(reader.header.to_text()), "steps": np.array(reader.steps)}
    whole |= {f"samples/{key}": column for key, column in sample_columns(reader).items()}
    for number, (key, array) in enumerate(whole.items()):
        path = folder / f"{number}.npy"
        np.save(path, array)
        yield key, path
    for layer in reader.layers:
        if SPIKES in reader.variables(layer):
            yield from _events(reader, layer, folder)
        for variable in dense_variables(reader, layer):
            yield f"{layer}/{variable}", _dense(reader, layer, variable, folder)


def _events(reader: TraceReader, layer: str, folder: Path) -> Iterator[tuple[str, Path]]:
    paths = {name: folder / f"{name}.npy" for name in (*EVENTS, "sample")}
    with ExitStack() as stack:
        files = {
            name: stack.enter_context(GrowingNpy(path, EVENTS.get(name, np.int32))) for name, path in paths.items()
        }
        for block in event_blocks(reader, layer):
            for name, file in files.items():
                file.append(getattr(block, name))
    yield from ((f"{layer}/{name}", path) for name, path in paths.items())


def _dense(reader: TraceReader, layer: str, variable: str, folder: Path) -> Path:
    path = folder / "dense.npy"
    row = reader.dense(0, layer, variable).shape if len(reader) else (reader.steps, reader.header.neurons(layer))
    with GrowingNpy(path, np.float32, row) as file:
        for block in dense_blocks(reader, layer, variable):
            file.append(block.values)
    return path


def read_spikes(path: Path) -> dict[str, list[tuple[int, int, int, float]]]:
    """Spikes by layer, as rows (sample, t, neuron, value)."""
    with np.load(path) as file:
        layers = [key.removesuffix("/t") for key in file.files if key.endswith("/t")]
        columns = {layer: [file[f"{layer}/{name}"].tolist() for name in ("sample", *EVENTS)] for layer in layers}
    return {layer: list(zip(*values, strict=True)) for layer, values in columns.items()}


ENTRY = Npz
READER = read_spikes
