"""Snapshots of parameters, which are written to a separate file, because no format has a place for changing weights."""

from __future__ import annotations

import tempfile
import zipfile
from pathlib import Path

import numpy as np

from neurorules.traces.exporters._npy import GrowingNpy, pack
from neurorules.traces.store import TraceReader


def write_snapshots(reader: TraceReader, path: Path) -> Path:
    """Write .npz: `epoch` and `samples` (recorded before it), (n,), and each parameter by name, (n, *shape) float32."""
    with (
        tempfile.TemporaryDirectory(dir=path.parent, prefix=f".{path.stem}.") as folder,
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive,
    ):
        laid = Path(folder) / "array.npy"
        for column in ("epoch", "samples"):
            np.save(laid, np.array([getattr(snapshot, column) for snapshot in reader.snapshots], np.int64))
            pack(archive, f"{column}.npy", laid)
        for name, shape in reader.header.parameters.items():
            with GrowingNpy(laid, np.float32, shape) as file:
                for snapshot in reader.snapshots:
                    file.append(reader.parameter(snapshot.position, name)[None])
            pack(archive, f"{name}.npy", laid)
    return path
