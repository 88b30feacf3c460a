"""NumPy's .npz: everything in the trace, without loss, for `numpy.load(path)`.

Keys, for n samples of T steps:

    header                        () text: the trace's header as JSON
    samples/index|label|prediction              (n,) int64
    LAYER/t|neuron|value|sample   (E,) one entry a spike; `sample` is the position in `samples/...`
    LAYER/VARIABLE                (n, T, N) float32, all variables but the spikes
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from neurorules.runs.atomic import replacing
from neurorules.traces.store import TraceReader
from neurorules.traces.writer import EVENTS, SPIKES


@dataclass(frozen=True)
class Npz:
    """Write .npz.

    Args:
        compress: whether the arrays are deflated.
    """

    compress: bool = True

    def __call__(self, reader: TraceReader, out: Path) -> None:
        """Write all of `reader` to the file `out`."""
        arrays: dict[str, np.ndarray] = {"header": np.array(reader.header.to_text())}
        for key, field in (("index", "data_index"), ("label", "label"), ("prediction", "prediction")):
            arrays[f"samples/{key}"] = np.array([getattr(sample, field) for sample in reader], np.int64)
        for layer in reader.layers:
            for variable in reader.variables(layer):
                if variable == SPIKES:
                    arrays |= {f"{layer}/{key}": column for key, column in _events(reader, layer).items()}
                else:
                    rows = [reader.dense(sample.position, layer, variable) for sample in reader]
                    empty = (0, reader.steps, reader.header.neurons(layer))
                    arrays[f"{layer}/{variable}"] = np.stack(rows) if rows else np.zeros(empty, np.float32)
        save: Callable[..., None] = np.savez_compressed if self.compress else np.savez
        with replacing(out) as temporary, temporary.open("wb") as file:
            save(file, **arrays)


def _events(reader: TraceReader, layer: str) -> dict[str, np.ndarray]:
    found = [reader.events(sample.position, layer) for sample in reader]
    columns = {
        name: np.concatenate([getattr(events, name) for events in found] or [np.zeros(0, kind)])
        for name, kind in EVENTS.items()
    }
    return {**columns, "sample": np.repeat(np.arange(len(found), dtype=np.int32), [len(events.t) for events in found])}


ENTRY = Npz
