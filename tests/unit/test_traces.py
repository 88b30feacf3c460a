"""Trace files: what goes in comes out, damage is told, a kill loses nothing that was finished."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.figure import Figure

from neurorules.language.errors import UserError
from neurorules.traces.exporters import export, exporters
from neurorules.traces.header import TraceHeader
from neurorules.traces.plots import plot
from neurorules.traces.plots.raster import draw_raster
from neurorules.traces.store import TraceReader
from neurorules.traces.writer import TraceWriter

STEPS = 7
LAYERS = {"input": (1, 2, 3), "hidden1": (5,), "readout": (3,)}
HEADER = TraceHeader(
    rule="sigprop:form=voltage",
    layers=LAYERS,
    dt_ms=0.5,
    units={"v": "threshold"},
    seed=3,
    config={"net": [5], "lr": 0.01},
    versions={"torch": "2.13.0"},
    classes=("zero", "one", "two"),
)


def activity(seed: int, steps: int = STEPS) -> dict[str, dict[str, np.ndarray]]:
    """Random spikes of all layers, graded ones in the input, and membranes."""
    random = np.random.default_rng(seed)
    found = {name: {"S": (random.random((steps, *shape)) < 0.3).astype(np.float32)} for name, shape in LAYERS.items()}
    found["input"]["S"] *= random.integers(1, 4, found["input"]["S"].shape)
    for name in ("hidden1", "readout"):
        found[name]["v"] = random.normal(size=(steps, *LAYERS[name])).astype(np.float32)
    return found


@pytest.fixture
def trace(tmp_path: Path) -> Path:
    """A trace of three samples."""
    path = tmp_path / "traces.h5"
    with TraceWriter(path, HEADER) as writer:
        for number in range(3):
            writer.append(100 + number, label=number, layers=activity(number), prediction=2)
    return path


def test_what_was_recorded_comes_back(trace: Path) -> None:
    with TraceReader(trace) as reader:
        assert reader.header == HEADER
        assert (len(reader), reader.steps, reader.layers) == (3, STEPS, ["input", "hidden1", "readout"])
        assert [tuple(sample) for sample in reader] == [(i, 100 + i, i, 2, -1) for i in range(3)]
        assert sorted(reader.variables("hidden1")) == ["S", "v"]
        for sample in reader:
            for layer, variables in activity(sample.position).items():
                for name, array in variables.items():
                    np.testing.assert_array_equal(
                        reader.dense(sample.position, layer, name), array.reshape(STEPS, -1), strict=True
                    )


def test_spikes_are_events_ordered_by_step(trace: Path) -> None:
    with TraceReader(trace) as reader:
        steps, neurons = reader.spikes(1, "input")
        expected = activity(1)["input"]["S"].reshape(STEPS, -1)
        np.testing.assert_array_equal(np.stack([steps, neurons]), np.nonzero(expected))
        np.testing.assert_array_equal(reader.events(1, "input").value, expected[steps, neurons])


@given(st.lists(st.sampled_from([0.0, 0.05, 1.0]), min_size=1, max_size=6))
def test_any_amount_of_spikes_comes_back(tmp_path_factory: pytest.TempPathFactory, rates: list[float]) -> None:
    path = tmp_path_factory.mktemp("any") / "t.h5"
    random = np.random.default_rng(0)
    spikes = [(random.random((4, 200)) < rate).astype(np.float32) for rate in rates]
    with TraceWriter(path, TraceHeader("x", {"only": (200,)})) as writer:
        for number, array in enumerate(spikes):
            writer.append(number, -1, {"only": {"S": array}})
    with TraceReader(path) as reader:
        for number, array in enumerate(spikes):
            np.testing.assert_array_equal(reader.dense(number, "only", "S"), array)


def test_another_program_can_read_the_basics(trace: Path) -> None:
    with h5py.File(trace) as file:
        assert (file.attrs["rule"], file.attrs["dt_ms"], file.attrs["seed"]) == ("sigprop:form=voltage", 0.5, 3)
        assert json.loads(file.attrs["header"])["config"] == {"net": [5], "lr": 0.01}
        assert file["layers/hidden1/v"].attrs["unit"] == "threshold"
        assert file["layers/hidden1/v"].compression == "gzip"


def test_an_unknown_name_is_answered_with_the_nearest_one(trace: Path) -> None:
    with TraceReader(trace) as reader:
        with pytest.raises(UserError, match="unknown layer of traces.h5 'hiden1'. Did you mean 'hidden1'"):
            reader.spikes(0, "hiden1")
        with pytest.raises(UserError, match="unknown variable of layer 'input' in traces.h5 'v'. Known: S"):
            reader.dense(0, "input", "v")
        with pytest.raises(UserError, match="has no sample 3, it holds 3"):
            reader.spikes(3, "input")


def test_a_sample_unlike_the_first_is_refused(tmp_path: Path) -> None:
    with TraceWriter(tmp_path / "t.h5", HEADER) as writer:
        writer.append(0, 0, activity(0))
        with pytest.raises(ValueError, match="'S' of 'input' has 8 steps, the first sample had 7"):
            writer.append(1, 0, activity(1, steps=8))
        with pytest.raises(ValueError, match="the first one held"):
            writer.append(1, 0, {"hidden1": {"S": np.zeros((STEPS, 5))}})
        with pytest.raises(ValueError, match="'S' of 'readout' has 4 neurons, not 3"):
            writer.append(1, 0, {"readout": {"S": np.zeros((STEPS, 4))}})
        with pytest.raises(ValueError, match="layer 'hidden9' is not declared"):
            writer.append(1, 0, {"hidden9": {"S": np.zeros((STEPS, 4))}})
        writer.append(1, 0, activity(1))
    with TraceReader(tmp_path / "t.h5") as reader:
        np.testing.assert_array_equal(reader.dense(1, "readout", "v"), activity(1)["readout"]["v"])


def test_a_trace_without_samples_is_a_trace(tmp_path: Path) -> None:
    with TraceWriter(tmp_path / "t.h5", HEADER):
        pass
    with TraceReader(tmp_path / "t.h5") as reader:
        assert len(reader) == 0 and reader.layers == list(LAYERS)


def test_damage_in_the_data_is_told_when_it_is_read(trace: Path) -> None:
    with h5py.File(trace) as file:
        where = file["layers/hidden1/v"].id.get_chunk_info(0)
    data = bytearray(trace.read_bytes())
    data[where.byte_offset + where.size // 2] ^= 0xFF
    trace.write_bytes(data)
    with TraceReader(trace) as reader, pytest.raises(UserError, match="is damaged"):
        reader.dense(0, "hidden1", "v")


def test_other_files_are_not_traces(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=f"is a folder, .* or record a run: neurorules record {tmp_path} --out"):
        TraceReader(tmp_path)
    with pytest.raises(UserError, match="there is no trace file"):
        TraceReader(tmp_path / "none.h5")
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["x"] = 1
    with pytest.raises(UserError, match="not a trace that neurorules recorded"):
        TraceReader(tmp_path / "other.h5")


RECORD_FOREVER = """
import sys, numpy as np
from pathlib import Path
from neurorules.traces.header import TraceHeader
from neurorules.traces.writer import TraceWriter
with TraceWriter(Path(sys.argv[1]), TraceHeader("x", {"a": (50,)})) as writer:
    for sample in range(100_000):
        values = np.full((20, 50), float(sample + 1))
        writer.append(sample, 0, {"a": {"S": values, "v": values}})
        print(sample, flush=True)
"""


@pytest.mark.parametrize("samples", [1, 3, 40, 333])
def test_a_recorder_killed_at_any_instant_leaves_what_it_finished(tmp_path: Path, samples: int) -> None:
    path = tmp_path / "t.h5"
    with subprocess.Popen([sys.executable, "-c", RECORD_FOREVER, str(path)], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        for _ in range(samples):
            process.stdout.readline()
        process.send_signal(signal.SIGKILL)
        finished = samples + process.stdout.read().count(b"\n")
    with TraceReader(path) as reader:
        assert len(reader) >= finished
        for sample in reader:
            expected = np.full((20, 50), float(sample.data_index + 1), np.float32)
            np.testing.assert_array_equal(reader.dense(sample.position, "a", "S"), expected)
            np.testing.assert_array_equal(reader.dense(sample.position, "a", "v"), expected)


@pytest.mark.parametrize("to", ["npz", "npz:compress=false"])
def test_npz_holds_everything(trace: Path, tmp_path: Path, to: str) -> None:
    export(trace, to, tmp_path / "new" / "traces.npz")
    with np.load(tmp_path / "new" / "traces.npz") as arrays:
        assert TraceHeader.from_text(str(arrays["header"])) == HEADER
        assert arrays["samples/index"].tolist() == [100, 101, 102]
        assert arrays["samples/prediction"].tolist() == [2, 2, 2]
        for layer, shape in LAYERS.items():
            spikes = np.zeros((3, STEPS, int(np.prod(shape))), np.float32)
            place = tuple(arrays[f"{layer}/{key}"] for key in ("sample", "t", "neuron"))
            spikes[place] = arrays[f"{layer}/value"]
            for sample in range(3):
                np.testing.assert_array_equal(spikes[sample], activity(sample)[layer]["S"].reshape(STEPS, -1))
                if layer != "input":
                    np.testing.assert_array_equal(arrays[f"{layer}/v"][sample], activity(sample)[layer]["v"])


def test_exporters_are_found_by_their_files() -> None:
    assert "npz" in exporters.names()
    with pytest.raises(UserError, match="unknown exporter 'npx'. Did you mean 'npz'"):
        exporters.make("npx")


def test_a_raster_draws_each_spike_once_in_its_layers_band(trace: Path) -> None:
    axis = Figure().subplots()
    with TraceReader(trace) as reader:
        assert draw_raster(axis, reader, 2) is axis
        drawn = [len(lines.get_segments()) for lines in axis.collections]
        assert drawn == [len(reader.events(2, layer).t) for layer in LAYERS]
        for lines, band in zip(axis.collections, axis.patches, strict=True):
            low, high = band.get_y(), band.get_y() + band.get_height()
            assert all(low - 0.02 < y < high + 0.02 for segment in lines.get_segments() for y in segment[:, 1])
    assert axis.get_title(loc="left") == "sample 102, class two, read as two \N{CHECK MARK}"
    assert axis.get_yticklabels()[0].get_text() == "input\n6 neurons"


@pytest.mark.parametrize("suffix", ["png", "svg", "pdf"])
def test_a_raster_file_is_the_same_each_time(trace: Path, tmp_path: Path, suffix: str) -> None:
    pictures = []
    for name in ("a", "b"):
        out = tmp_path / f"{name}.{suffix}"
        plot([trace], "raster", out, samples=[0, 2])
        pictures.append(out.read_bytes())
    assert len(pictures[0]) > 1000 and pictures[0] == pictures[1]


def test_a_picture_format_that_is_not_there_is_told(trace: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="unknown picture format 'pgn'. Did you mean 'png'"):
        plot([trace], "raster", tmp_path / "raster.pgn")
