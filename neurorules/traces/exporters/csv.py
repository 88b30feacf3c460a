"""CSV, one row per spike: sample, index, label, prediction, epoch, layer, neuron, t_step, t_ms, value.

The files beside `spikes.csv` are `spikes.samples.csv` (one row per sample, with class names), `spikes.dense.csv` if
more than spikes was recorded (one row per number), and `spikes.json` (layers and shapes, T, dt, units, configuration).
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from neurorules.traces.blocks import EventBlock, dense_blocks, event_blocks
from neurorules.traces.exporters._tables import dense_variables, sample_columns, write_header, write_samples
from neurorules.traces.exporters._time import middle_ms
from neurorules.traces.store import TraceReader
from neurorules.traces.writer import SPIKES

# The number of rows that are written together; a row of text takes about 100 bytes, twice while it is written.
ROWS = 1 << 17


@dataclass(frozen=True)
class Csv:
    """Writes traces as CSV files."""

    def __call__(self, reader: TraceReader, out: Path) -> list[Path]:
        """Write the spikes of `reader` to the file `out`, and everything else to files beside it."""
        written = [out, write_samples(reader, out.with_suffix(".samples.csv"))]
        written.append(write_header(reader, out.with_suffix(".json")))
        if any(dense_variables(reader, layer) for layer in reader.layers):
            written.append(out.with_suffix(".dense.csv"))
            with written[-1].open("w", encoding="utf-8", newline="") as file:
                file.writelines(_dense(reader))
        with out.open("w", encoding="utf-8", newline="") as file:
            file.write(_row("sample", *sample_columns(reader), "layer", "neuron", "t_step", "t_ms", "value") + "\n")
            for layer in reader.layers:
                if SPIKES in reader.variables(layer):
                    before, times = _before(reader, layer), _times(reader, reader.steps)
                    for block in event_blocks(reader, layer, ROWS):
                        file.write(_spikes(block, before, times))
        return written


def _row(*fields: str) -> str:
    """Fields as CSV, quoted if necessary."""
    text = io.StringIO()
    csv.writer(text, lineterminator="").writerow(fields)
    return text.getvalue()


def _before(reader: TraceReader, layer: str) -> list[str]:
    """The fields before a spike's neuron, by sample."""
    columns = [column.tolist() for column in sample_columns(reader).values()]
    rows = enumerate(zip(*columns, strict=True))
    return [",".join(map(str, (sample, *row, _row(layer)))) for sample, row in rows]


def _times(reader: TraceReader, rows: int) -> list[str]:
    return [f"{row},{ms!r}" for row, ms in enumerate(middle_ms(reader, rows).tolist())]


def _spikes(block: EventBlock, before: list[str], times: list[str]) -> str:
    # A float32 is written as the shortest text that gives it back; there are few different values.
    different, which = np.unique(block.value, return_inverse=True)
    values = [str(value) for value in different]
    columns = (block.sample.tolist(), block.neuron.tolist(), block.t.tolist(), which.tolist())
    return "".join(f"{before[s]},{n},{times[t]},{values[v]}\n" for s, n, t, v in zip(*columns, strict=True))


def _dense(reader: TraceReader) -> Iterator[str]:
    yield "sample,layer,variable,neuron,t_step,t_ms,value\n"
    for layer in reader.layers:
        for variable in dense_variables(reader, layer):
            name = _row(layer, variable)
            for block in dense_blocks(reader, layer, variable, ROWS):
                times = _times(reader, block.values.shape[1])
                for sample, rows in enumerate(block.values, block.first):
                    for time, row in zip(times, rows, strict=True):
                        values = enumerate(map(str, row))
                        yield "".join(f"{sample},{name},{neuron},{time},{value}\n" for neuron, value in values)


def read_spikes(path: Path) -> dict[str, list[tuple[int, int, int, float]]]:
    """Spikes by layer, as rows (sample, t, neuron, value)."""
    rows: dict[str, list[tuple[int, int, int, float]]] = {}
    with path.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            spike = int(row["sample"]), int(row["t_step"]), int(row["neuron"]), float(row["value"])
            rows.setdefault(row["layer"], []).append(spike)
    return rows


ENTRY = Csv
READER = read_spikes
