"""The tables that every format writes in addition to the spikes: one row per sample, and the trace's header."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np

from neurorules.traces.store import Sample, TraceReader
from neurorules.traces.writer import SPIKES

SAMPLE_FIELDS = {
    ("index" if field == "data_index" else field): field for field in Sample._fields if field != "position"
}
"""The names of columns of samples, with the fields of `Sample`; the position of a sample is its row."""


def sample_columns(reader: TraceReader) -> dict[str, np.ndarray]:
    """(n,) int64 columns index, label, prediction, epoch: one entry for each sample, in the order of the trace."""
    return {
        name: np.array([getattr(sample, field) for sample in reader], np.int64) for name, field in SAMPLE_FIELDS.items()
    }


def header_text(reader: TraceReader) -> str:
    """The trace's header and its number of steps, as one line of JSON."""
    return json.dumps(
        {"steps": reader.steps, **json.loads(reader.header.to_text())}, ensure_ascii=False, separators=(",", ":")
    )


def dense_variables(reader: TraceReader, layer: str) -> list[str]:
    """The variables that were recorded of a layer besides its spikes."""
    return [variable for variable in reader.variables(layer) if variable != SPIKES]


def write_samples(reader: TraceReader, path: Path) -> Path:
    """Write the samples as CSV: sample, index, label, prediction, epoch, and the names of both classes."""
    columns = sample_columns(reader)
    names = [[reader.header.label_name(int(label)) for label in columns[key]] for key in ("label", "prediction")]
    with path.open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(["sample", *columns, "label_name", "prediction_name"])
        rows.writerows(zip(range(len(reader)), *(column.tolist() for column in columns.values()), *names, strict=True))
    return path


def write_header(reader: TraceReader, path: Path) -> Path:
    """Write the trace header's text, `header_text`, to a file."""
    path.write_text(header_text(reader) + "\n", encoding="utf-8")
    return path
