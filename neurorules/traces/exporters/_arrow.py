"""A trace as Arrow tables, one row group at a time; this module is imported only if pyarrow is installed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from neurorules.traces import writer
from neurorules.traces.blocks import dense_blocks, event_blocks
from neurorules.traces.exporters._tables import SAMPLE_FIELDS, dense_variables, header_text, sample_columns
from neurorules.traces.exporters._time import middle_ms
from neurorules.traces.store import TraceReader

# A row group, which a reader takes in at once: spikes, and numbers of dense variables.
ROWS, NUMBERS = 1 << 18, 1 << 20

_WORD = pa.dictionary(pa.int32(), pa.string())
_SAMPLE = [("sample", pa.int32()), *((name, pa.int64()) for name in SAMPLE_FIELDS)]
_TIME = [("t_step", pa.int32()), ("t_ms", pa.float64())]
SAMPLES = pa.schema([*_SAMPLE, ("label_name", _WORD), ("prediction_name", _WORD)])
SPIKES = pa.schema([*_SAMPLE, ("layer", _WORD), ("neuron", pa.int32()), *_TIME, ("value", pa.float32())])
DENSE = pa.schema(
    [("sample", pa.int32()), ("layer", _WORD), ("variable", _WORD), *_TIME, ("values", pa.list_(pa.float32()))]
)


def write(reader: TraceReader, path: Path, schema: pa.Schema, tables: Iterable[pa.Table], compression: str) -> None:
    """Write tables as the row groups of one file."""
    schema = schema.with_metadata({"neurorules": header_text(reader)})
    with pq.ParquetWriter(path, schema, compression=compression) as file:
        for table in tables:
            file.write_table(table.cast(schema))


def samples(reader: TraceReader) -> Iterator[pa.Table]:
    """Yield the table of samples, one row per sample."""
    columns = sample_columns(reader)
    names = {
        f"{key}_name": _words([reader.header.label_name(int(label)) for label in columns[key]])
        for key in ("label", "prediction")
    }
    yield _table(SAMPLES, {"sample": np.arange(len(reader)), **columns, **names})


def spikes(reader: TraceReader) -> Iterator[pa.Table]:
    """Yield tables of spikes, one row per spike."""
    of_sample = sample_columns(reader)
    middles = middle_ms(reader, reader.steps)
    for layer in reader.layers:
        if writer.SPIKES not in reader.variables(layer):
            continue
        for block in event_blocks(reader, layer, ROWS):
            columns = {name: column[block.sample] for name, column in of_sample.items()}
            columns |= {"sample": block.sample, "neuron": block.neuron, "t_step": block.t, "t_ms": middles[block.t]}
            yield _table(SPIKES, {**columns, "layer": _same(layer, len(block.t)), "value": block.value})


def dense(reader: TraceReader) -> Iterator[pa.Table]:
    """Yield tables with one row per sample, variable and step."""
    for layer in reader.layers:
        for variable in dense_variables(reader, layer):
            for block in dense_blocks(reader, layer, variable, NUMBERS):
                count, steps, neurons = block.values.shape
                rows = count * steps
                yield _table(
                    DENSE,
                    {
                        "sample": np.repeat(np.arange(block.first, block.first + count), steps),
                        "layer": _same(layer, rows),
                        "variable": _same(variable, rows),
                        "t_step": np.tile(np.arange(steps), count),
                        "t_ms": np.tile(middle_ms(reader, steps), count),
                        "values": pa.ListArray.from_arrays(
                            pa.array(np.arange(rows + 1, dtype=np.int32) * neurons), pa.array(block.values.ravel())
                        ),
                    },
                )


def _table(schema: pa.Schema, columns: dict[str, np.ndarray | pa.Array]) -> pa.Table:
    return pa.table(
        [
            columns[field.name] if isinstance(columns[field.name], pa.Array) else pa.array(columns[field.name])
            for field in schema
        ],
        names=schema.names,
    )


def _words(texts: list[str]) -> pa.Array:
    return pa.array(texts, pa.string()).dictionary_encode()


def _same(text: str, rows: int) -> pa.Array:
    return pa.DictionaryArray.from_arrays(pa.array(np.zeros(rows, np.int32)), pa.array([text]))
