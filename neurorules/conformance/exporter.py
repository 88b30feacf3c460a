"""The checks of exporters: an exporter writes exactly the files that it returns, with all spikes of the trace."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import numpy as np

from neurorules.conformance.comparison import demand_session_left_alone
from neurorules.conformance.suite import Entry, NotApplicable, Suite, demand, demand_instance
from neurorules.traces.exporters import Exporter, SpikeRows, export, exporters
from neurorules.traces.header import TraceHeader
from neurorules.traces.writer import TraceWriter

STEPS = 6
"""Number of time steps T of each sample."""
LAYERS = {"input": (2, 3, 2), "hidden1": (7,), "silent": (2,)}
"""Shapes of the recorded layers by name."""


class Spike(NamedTuple):
    """One spike of a trace.

    Args:
        sample: position of the sample in the trace, from 0.
        t: time step, from 0.
        neuron: index in the flat layer, from 0.
        value: the layer's output: 1, or a count or a sign at the input.
    """

    sample: int
    t: int
    neuron: int
    value: float


SPIKES = {
    "input": [Spike(0, 0, 0, 3.0), Spike(0, 5, 11, -0.5), Spike(2, 2, 4, 1.0)],
    "hidden1": [
        Spike(0, 1, 6, 1.0),
        Spike(0, 1, 2, 1.0),
        Spike(1, 4, 3, 1.0),
        Spike(2, 0, 0, 1.0),
        Spike(2, 5, 6, 1.0),
    ],
    "silent": [],
}
"""The spikes of a small trace by layer, some of them at the first and the last step. One layer has none."""
SAMPLES = ((7, 1), (3, 0), (100_000, 1))
"""Position in the data set and label of each sample."""


def write_trace(path: Path, spikes: dict[str, list[Spike]] = SPIKES, samples: int = len(SAMPLES)) -> Path:
    """Record a small trace, with the spikes of three layers and the membrane of one.

    Args:
        path: trace file to write.
        spikes: spikes by layer.
        samples: how many of `SAMPLES` are recorded, from the first on.

    Returns:
        The path of the trace file.
    """
    header = TraceHeader("dfa", LAYERS, dt_ms=0.5, units={"v": "threshold"}, classes=("zero", "one"))
    with TraceWriter(path, header) as writer:
        for number, (index, label) in enumerate(SAMPLES[:samples]):
            activity = {}
            for layer, shape in LAYERS.items():
                grid = np.zeros((STEPS, int(np.prod(shape))), np.float32)
                for spike in spikes[layer]:
                    if spike.sample == number:
                        grid[spike.t, spike.neuron] = spike.value
                activity[layer] = {"S": grid.reshape(STEPS, *shape)}
            activity["hidden1"]["v"] = np.linspace(-1, 1, STEPS * 7, dtype=np.float32).reshape(STEPS, 7) * (number + 1)
            writer.append(index, label, activity, prediction=1, epoch=2)
    return path


@contextmanager
def workplace(entry: Entry) -> Iterator[tuple[Path, Path]]:
    """Record a trace in a temporary folder, and give its path and that of the export in an empty folder beside it."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / "out"
        place.mkdir()
        yield write_trace(Path(folder) / "trace.h5"), place / f"new.{entry.name}"


def contents(path: Path) -> dict[str, bytes]:
    """Read all files at or under a path, by their name relative to it."""
    files = sorted(path.rglob("*")) if path.is_dir() else [path]
    return {str(file.relative_to(path)): file.read_bytes() for file in files if file.is_file()}


def it_is_an_exporter(entry: Entry) -> None:
    """Its ENTRY makes a function of a reader and a path."""
    demand_instance(entry, Exporter)


def it_writes_what_it_says_and_nothing_else(entry: Entry) -> None:
    """The returned paths, the main one first, are exactly the files in the folder afterwards."""
    with workplace(entry) as (trace, out):
        written = export(trace, entry.text, out)
        demand(bool(written) and written[0] == out, "the main file comes first", f"it returned {written[:1]}", "Say so")
        files = {path for path in out.parent.rglob("*") if path.is_file()}
        named = {path for path in written if path.is_file()}
        named |= {file for path in written if path.is_dir() for file in path.rglob("*") if file.is_file()}
        extra, lacking = sorted(files - named), [path for path in written if not path.exists()]
        observed = f"unsaid are {[p.name for p in extra][:3]}, and missing {[p.name for p in lacking][:3]}"
        demand(not extra and not lacking, "it writes what it says and nothing else", observed, "Return every path")
        empty = [file.name for file in files if file.stat().st_size == 0]
        demand(bool(files) and not empty, "every file holds something", f"{empty[:3]} are empty", "Write them whole")


def it_leaves_the_trace_and_the_session_as_they_were(entry: Entry) -> None:
    """The trace's bytes are the same afterwards, and no global generator moves."""
    with workplace(entry) as (trace, out):
        before = trace.read_bytes()
        demand_session_left_alone(lambda: export(trace, entry.text, out), "exporting")
        right = trace.read_bytes() == before
        demand(
            right, "an exporter leaves the trace as it was", "its bytes changed", "Open nothing for writing but `out`"
        )


def a_trace_without_samples_is_exported(entry: Entry) -> None:
    """A recording that holds no sample yet gives a file, not an error."""
    with workplace(entry) as (trace, out):
        written = export(write_trace(trace.with_name("empty.h5"), samples=0), entry.text, out)
        right = bool(written) and all(path.exists() for path in written)
        demand(right, "a trace without samples is exported", "nothing was written", "Write the header alone")


def every_spike_leaves_its_mark(entry: Entry) -> None:
    """The bytes differ if a spike is at another step, neuron or sample, or is missing."""
    with workplace(entry) as (trace, out):
        first, second = (_bytes(entry, trace, out.parent / f"same{n}") for n in range(2))
        if first != second:
            raise NotApplicable("two exports of one trace differ, by dates or draws, so that bytes tell nothing")
        spike = SPIKES["hidden1"][3]
        others = {
            "another step": spike._replace(t=spike.t + 2), "another neuron": spike._replace(neuron=5),
            "another sample": spike._replace(sample=1), "none at all": None,
        }  # fmt: skip
        for number, (name, other) in enumerate(others.items()):
            rest = [s for s in SPIKES["hidden1"] if s is not spike]
            changed = {**SPIKES, "hidden1": rest if other is None else [*rest, other]}
            path = write_trace(trace.with_name(f"changed{number}.h5"), changed)
            right = _bytes(entry, path, out.parent / f"other{number}") != first
            demand(
                right, "every spike leaves its mark", f"a spike at {name} gives equal bytes", "Write all four columns"
            )


def _bytes(entry: Entry, trace: Path, folder: Path) -> list[dict[str, bytes]]:
    folder.mkdir()
    same = trace.rename(trace.with_name("t.h5"))  # A format may store the name of the trace file.
    try:
        return [contents(path) for path in export(same, entry.text, folder / f"new.{entry.name}")]
    finally:
        same.rename(trace)


def its_own_reader_gives_every_spike_back(entry: Entry) -> None:
    """If its module has a `READER`, this reads the recorded rows from the main file."""
    reader = getattr(entry.registry.module(entry.name), "READER", None)
    if reader is None:
        raise NotApplicable("its module has no READER, a function from the main file to spikes by layer")
    with workplace(entry) as (trace, out):
        rows: dict[str, SpikeRows] = reader(export(trace, entry.text, out)[0])
        for layer, spikes in SPIKES.items():
            back = sorted(tuple(map(float, row)) for row in np.asarray(rows.get(layer, [])).reshape(-1, 4).tolist())
            expected = sorted(tuple(map(float, spike)) for spike in spikes)
            observed = (
                f"of {len(expected)} spikes of {layer} {len(set(expected) & set(back))} came back, of {len(back)}"
            )
            demand(
                back == expected, "a format gives every spike back", observed, "Compare rows (sample, t, neuron, value)"
            )


SUITE = Suite(
    exporters,
    Exporter,
    (
        it_is_an_exporter,
        it_writes_what_it_says_and_nothing_else,
        it_leaves_the_trace_and_the_session_as_they_were,
        a_trace_without_samples_is_exported,
        every_spike_leaves_its_mark,
        its_own_reader_gives_every_spike_back,
    ),
)
