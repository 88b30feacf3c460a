"""Apache Parquet, one row per spike, for pandas, Polars, DuckDB and Spark.

Columns: sample, index, label, prediction, epoch, layer, neuron, t_step, t_ms, value. The files beside `spikes.parquet`
are `spikes.samples.parquet` (one row per sample) and, if more than spikes was recorded, `spikes.dense.parquet` (one row
per step: the values of all neurons as a list). The trace's header is the file's metadata, key `neurorules`.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from neurorules.traces.exporters._extra import require
from neurorules.traces.exporters._tables import dense_variables
from neurorules.traces.store import TraceReader


@dataclass(frozen=True)
class Parquet:
    """Writes traces as Parquet files.

    Args:
        compression: the compression of the columns.
    """

    compression: Literal["zstd", "snappy", "gzip", "none"] = "zstd"

    def __call__(self, reader: TraceReader, out: Path) -> list[Path]:
        """Write the spikes of `reader` to the file `out`, and everything else to files beside it.

        Raises:
            MissingExtra: pyarrow is not installed.
        """
        require("parquet", "parquet", "pyarrow")
        from neurorules.traces.exporters import _arrow

        written = [out, out.with_suffix(".samples.parquet")]
        _arrow.write(reader, written[1], _arrow.SAMPLES, _arrow.samples(reader), self.compression)
        if any(dense_variables(reader, layer) for layer in reader.layers):
            written.append(out.with_suffix(".dense.parquet"))
            _arrow.write(reader, written[-1], _arrow.DENSE, _arrow.dense(reader), self.compression)
        _arrow.write(reader, out, _arrow.SPIKES, _arrow.spikes(reader), self.compression)
        return written


ENTRY = Parquet
