"""When a spike was, in the unit that a format says: absolute times, indices and values of every exporter, by hand.

Step k of a sample is at (k + 1/2) dt. Formats with one axis of time let samples follow each other.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import h5py
import neo
import numpy as np
import pyarrow.parquet
import pytest

from neurorules.traces import blocks
from neurorules.traces.exporters import export, exporters
from neurorules.traces.header import TraceHeader
from neurorules.traces.writer import TraceWriter

STEPS, SAMPLES, DT_MS, THRESHOLD_MV = 5, 3, 0.5, 20.0
LAYERS = {"maps": (2, 2, 3), "flat": (4,)}
# layer, sample, step, neuron, value
SPIKES = [
    ("maps", 0, 0, 0, 1.0), ("maps", 0, 4, 11, 2.0), ("maps", 1, 3, 7, 1.0), ("maps", 2, 1, 5, 1.0),
    ("flat", 0, 2, 3, 1.0), ("flat", 2, 0, 1, 1.0), ("flat", 2, 1, 3, 1.0), ("flat", 2, 4, 1, 0.25),
    ("flat", 2, 4, 2, 1.0),
]  # fmt: skip
V = np.arange(SAMPLES * STEPS * 4, dtype=np.float32).reshape(SAMPLES, STEPS, 4) / 8 - 3

Spike = tuple[str, int, float, float]


class Said(NamedTuple):
    """What a file says.

    Args:
        spikes: (layer, neuron, ms, value), the times of one axis, or of each sample's own, in order of samples.
        times: ms of the rows of the membranes of `flat`, sample by sample.
        v: those rows, in thresholds, (rows, 4).
    """

    spikes: list[Spike]
    times: np.ndarray
    v: np.ndarray


def of_npz(path: Path) -> Said:
    """Steps stand for times: t dt begins the step."""
    with np.load(path) as file:
        spikes = [
            (layer, int(n), (int(t) + 0.5) * DT_MS, float(x))
            for layer in LAYERS
            for t, n, x in zip(*(file[f"{layer}/{name}"] for name in ("t", "neuron", "value")), strict=True)
        ]
        assert file["flat/sample"].tolist() == [0, 2, 2, 2, 2]
        return Said(spikes, np.tile((np.arange(STEPS) + 0.5) * DT_MS, SAMPLES), file["flat/v"].reshape(-1, 4))


def of_csv(path: Path) -> Said:
    rows = list(csv.DictReader(path.read_text().splitlines()))
    spikes = [(r["layer"], int(r["neuron"]), float(r["t_ms"]), float(r["value"])) for r in rows]
    dense = list(csv.DictReader(path.with_suffix(".dense.csv").read_text().splitlines()))
    assert [int(r["neuron"]) for r in dense[:5]] == [0, 1, 2, 3, 0]
    times = [float(r["t_ms"]) for r in dense if r["neuron"] == "2"]
    return Said(spikes, np.array(times), np.reshape([float(r["value"]) for r in dense], (-1, 4)))


def of_parquet(path: Path) -> Said:
    rows = pyarrow.parquet.read_table(path).to_pylist()
    dense = pyarrow.parquet.read_table(path.with_suffix(".dense.parquet")).to_pylist()
    spikes = [(r["layer"], r["neuron"], r["t_ms"], r["value"]) for r in rows]
    return Said(spikes, np.array([r["t_ms"] for r in dense]), np.array([r["values"] for r in dense]))


def of_events(path: Path) -> Said:
    """Whole microseconds; the rows of dense arrays are steps."""
    spikes = []
    for layer in LAYERS:
        for event in np.load(path / f"{layer}.npy"):
            neuron = int(event["x"] + 3 * event["y"] + 6 * event["p"])
            spikes.append((layer, neuron, float(event["t"]) / 1000, float(event["value"])))
    assert np.load(path / "maps.end.npy").tolist() == [2, 3, 4]
    assert np.load(path / "flat.end.npy").tolist() == [1, 1, 5]
    return Said(spikes, np.tile((np.arange(STEPS) + 0.5) * DT_MS, SAMPLES), np.load(path / "flat.v.npy").reshape(-1, 4))


def of_nirdata(path: Path) -> Said:
    spikes = []
    with h5py.File(path) as file:
        for layer in LAYERS:
            found = file[f"nodes/{layer}/observables/S"]
            assert found.attrs["t_max"] == pytest.approx(STEPS * DT_MS / 1000)
            for idx, time, value in zip(found["idx"][:], found["time"][:], found["value"][:], strict=True):
                spikes += [
                    (layer, int(n), float(t) * 1000, float(x))
                    for n, t, x in zip(idx, time, value, strict=True)
                    if n >= 0
                ]
        grid = file["nodes/flat/observables/v"]
        times = np.tile((np.arange(STEPS) + 0.5) * grid.attrs["dt"] * 1000, SAMPLES)
        return Said(spikes, times, grid["data"][:].reshape(-1, 4))


def of_nix(path: Path) -> Said:
    io = neo.io.NixIO(str(path), mode="ro")
    block = io.read_block()
    io.close()
    spikes, times, v = [], [], []
    for segment in block.segments:
        of_sample = []
        for train in segment.spiketrains:
            values = np.ravel(train.array_annotations.get("value", np.ones(len(train))))
            ms = train.rescale("ms").magnitude
            assert (float(train.t_start.rescale("ms")), float(train.t_stop.rescale("ms"))) == (0, STEPS * DT_MS)
            layer, neuron = train.annotations["layer"], int(train.annotations["neuron"])
            of_sample += [(layer, neuron, float(t), float(x)) for t, x in zip(ms, values, strict=True)]
        spikes += of_sample
        (signal,) = segment.analogsignals
        times += signal.times.rescale("ms").magnitude.tolist()
        v += (signal.rescale("mV").magnitude / THRESHOLD_MV).tolist()
    return Said(spikes, np.array(times), np.array(v))


def of_sonata(path: Path) -> Said:
    spikes = []
    with h5py.File(path / "spikes.h5") as file:
        for layer in LAYERS:
            found = file[f"spikes/{layer}"]
            assert found["timestamps"].attrs["units"] == "ms"
            columns = (found[name][:] for name in ("node_ids", "timestamps", "values"))
            spikes += [(layer, int(n), float(t), float(x)) for n, t, x in zip(*columns, strict=True)]
    with h5py.File(path / "v_report.h5") as file:
        start, stop, step = file["report/flat/mapping/time"][:]
        data = file["report/flat/data"][:]
        assert (stop - start) / step == pytest.approx(len(data))
        return Said(spikes, start + np.arange(len(data)) * step, data)


def of_nwb(path: Path) -> Said:
    spikes = []
    with h5py.File(path) as file:
        units, first = file["units"], 0
        for unit, end in enumerate(units["spike_times_index"][:]):
            layer, neuron = units["layer"].asstr()[unit], int(units["neuron"][unit])
            for t, value in zip(units["spike_times"][first:end], units["spike_values"][first:end], strict=True):
                spikes.append((layer, neuron, float(t) * 1000, float(value)))
            first = end
        assert units["spike_times"].attrs["resolution"] == DT_MS / 1000
        series = file["acquisition/flat_v"]
        data = series["data"][:]
        if "timestamps" in series:
            times = series["timestamps"][:] * 1000
        else:
            start = series["starting_time"]
            times = (start[()] + np.arange(len(data)) / start.attrs["rate"]) * 1000
        trials = file["intervals/trials"]
        begins, ends = (trials[name][:] * 1000 for name in ("start_time", "stop_time"))
        np.testing.assert_allclose(ends - begins, STEPS * DT_MS)
        for time in times.reshape(SAMPLES, STEPS).T:
            assert np.all((begins < time) & (time < ends))
        return Said(spikes, times, data * 1000 / THRESHOLD_MV)


READ: dict[str, Callable[[Path], Said]] = {
    "npz": of_npz, "csv": of_csv, "parquet": of_parquet, "events": of_events, "nirdata": of_nirdata, "nix": of_nix,
    "sonata": of_sonata, "nwb": of_nwb,
}  # fmt: skip
ONE_AXIS = {"sonata": 0, "nwb": 0, "nwb:gap_steps=2": 2}
"""Formats whose samples follow each other, and the steps between two of them."""


@pytest.fixture(scope="module")
def trace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("trace") / "t.h5"
    with TraceWriter(path, TraceHeader("x", LAYERS, dt_ms=DT_MS, units={"v": "threshold"})) as writer:
        for sample in range(SAMPLES):
            found = {layer: np.zeros((STEPS, int(np.prod(shape))), np.float32) for layer, shape in LAYERS.items()}
            for layer, of, step, neuron, value in SPIKES:
                if of == sample:
                    found[layer][step, neuron] = value
            writer.append(sample, 0, {"maps": {"S": found["maps"]}, "flat": {"S": found["flat"], "v": V[sample]}})
    return path


def expected(to: str) -> list[Spike]:
    spikes = []
    for layer, sample, step, neuron, value in SPIKES:
        begin = sample * (STEPS + ONE_AXIS[to]) if to in ONE_AXIS else 0
        if to.startswith("nwb") and value == 2:  # a count is so many spikes, spread over the step
            spikes += [(layer, neuron, (begin + step + share) * DT_MS, 1.0) for share in (0.25, 0.75)]
        else:
            spikes.append((layer, neuron, (begin + step + 0.5) * DT_MS, value))
    return sorted(spikes)


def test_every_format_is_asked_for_its_times() -> None:
    assert set(READ) == set(exporters.names())


@pytest.mark.parametrize("to", [*READ, "nwb:gap_steps=2"])
def test_every_spike_and_membrane_stands_at_its_time(trace: Path, tmp_path: Path, to: str) -> None:
    check(trace, tmp_path, to)


@pytest.mark.parametrize("to", ["npz", "events", "nirdata", "sonata", "nwb"])
def test_a_trace_of_several_blocks_stands_there_as_well(
    trace: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, to: str
) -> None:
    monkeypatch.setattr(blocks, "SIZE", V[0].size)
    check(trace, tmp_path, to)


def check(trace: Path, tmp_path: Path, to: str) -> None:
    name = to.partition(":")[0]
    said = READ[name](export(trace, to, tmp_path / f"out.{name}")[0])
    spikes = sorted(said.spikes)
    assert [(layer, neuron, value) for layer, neuron, _, value in spikes] == [(s[0], s[1], s[3]) for s in expected(to)]
    np.testing.assert_allclose([s[2] for s in spikes], [s[2] for s in expected(to)], rtol=1e-9)
    steps = np.arange(STEPS) + 0.5
    begins = np.arange(SAMPLES) * (STEPS + ONE_AXIS[to]) if to in ONE_AXIS else np.zeros(SAMPLES)
    np.testing.assert_allclose(said.times, (begins[:, None] + steps).ravel() * DT_MS, rtol=1e-9)
    np.testing.assert_allclose(said.v, V.reshape(-1, 4), rtol=1e-6)


def test_a_header_tells_how_long_a_step_is(trace: Path, tmp_path: Path) -> None:
    export(trace, "csv", tmp_path / "out.csv")
    header = json.loads((tmp_path / "out.json").read_text())
    assert (header["dt_ms"], header["steps"]) == (DT_MS, STEPS)
