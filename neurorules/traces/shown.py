"""The text and the notebook view of a trace."""

from __future__ import annotations

from typing import Any

import numpy as np

from neurorules.runs.shown.markup import picture, table
from neurorules.traces.layout import SPIKES

TraceReader = Any
"""The reader in `neurorules.traces.store`, which shows itself by these functions."""
MOST = 20_000
"""The largest number of spikes of a layer that are drawn; of more spikes, an even share is drawn."""


def as_line(reader: TraceReader) -> str:
    """A trace in one line, which also works after it is closed."""
    layers = ", ".join(f"{name} {' x '.join(map(str, shape))}" for name, shape in reader.header.layers.items())
    return f"<TraceReader {reader.path}: {reader.header.rule}, {len(reader)} samples of {reader.steps} steps; {layers}>"


def as_html(reader: TraceReader) -> str:
    """A table of the layers and, if spikes were recorded, the raster of the first sample."""
    from neurorules.runs.shown.pictures import spikes  # drawing is imported only when something is shown

    recorded = {name: reader.variables(name) for name in reader.layers}
    rows = [(n, " x ".join(map(str, reader.header.layers[n])), ", ".join(recorded[n])) for n in reader.layers]
    shown = table(("layer", "neurons", "recorded"), rows, as_line(reader).split(";")[0].strip("<>"))
    drawn: dict[str, tuple[np.ndarray, np.ndarray, int]] = {}
    for name in (name for name in reader.layers if SPIKES in recorded[name] and len(reader)):
        t, neuron = reader.spikes(0, name)
        every = slice(None, None, max(1, len(t) // MOST))
        drawn[name] = (t[every], neuron[every], reader.header.neurons(name))
    return shown + (picture(spikes(drawn, reader.steps), "spikes of the first sample") if drawn else "")
