"""Exports: each format read back by another library equals what was recorded; what goes wrong is told in one line."""

from __future__ import annotations

import json
import sys
import zipfile
from pathlib import Path

import elephant
import neo
import numpy as np
import nwbinspector
import pynwb
import pytest
import quantities as pq
import tonic
from export_readers import READERS, Contents

from neurorules.cli import run
from neurorules.language.errors import MissingExtra, UserError
from neurorules.traces.blocks import dense_blocks, event_blocks
from neurorules.traces.exporters import export, exporters
from neurorules.traces.header import TraceHeader
from neurorules.traces.store import TraceReader
from neurorules.traces.writer import TraceWriter

STEPS = 6
LAYERS = {"input": (2, 3, 2), "hidden1": (7,), "silent": (2,), "read, out": (3,), "hidden1.w": (6, 5)}
HEADER = TraceHeader(
    rule='sigprop:form="voltage"',
    layers=LAYERS,
    dt_ms=0.1,
    units={"v": "threshold"},
    seed=3,
    config={"net": [7], "lr": 0.01, "note": "µ"},
    versions={"torch": "2.13.0"},
    classes=("zéro", "一, two", 'q"uote'),
)
SAMPLES = [(7, -1, 2, -1), (3, 0, -1, 0), (100_000, 1, 1, 1), (0, 2, 0, 12)]
VARIANTS = ["npz:compress=false", "parquet:compression=none", "nwb:gap_steps=3:volts_per_threshold=0.013",
            "nix:trains=layer"]  # fmt: skip


def activity(sample: int) -> dict[str, dict[str, np.ndarray]]:
    """Nasty samples: grades, counts and signs; nothing at all; the first and last step alone; every neuron always."""
    random = np.random.default_rng(sample)
    rate = (0.4, 0.0, 0.0, 1.0)[sample]
    found = {
        layer: {"S": (random.random((STEPS, *LAYERS[layer])) < rate).astype(np.float32)}
        for layer in ("input", "hidden1", "read, out")
    }
    found["silent"] = {"S": np.zeros((STEPS, 2))}
    if sample == 0:
        found["input"]["S"].reshape(-1)[:6] = [3, 1 / 3, -2, 100, 101, 1e-30]
    if sample == 2:
        found["hidden1"]["S"][[0, -1]] = 1
    found["hidden1"]["v"] = random.normal(size=(STEPS, 7)).astype(np.float32) * np.float32(10.0 ** (10 * sample - 20))
    found["hidden1"]["m"] = random.normal(size=(STEPS, 7)).astype(np.float32)
    found["hidden1.w"] = {"v": random.normal(size=(STEPS, 6, 5)).astype(np.float32)}
    return found


def write(path: Path, samples: int = len(SAMPLES), header: TraceHeader = HEADER) -> Path:
    """A trace of nasty samples."""
    with TraceWriter(path, header) as writer:
        for number, (index, label, prediction, epoch) in enumerate(SAMPLES[:samples]):
            writer.append(index, label, activity(number), prediction, epoch)
    return path


@pytest.fixture(scope="module")
def trace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The nasty trace, made once: nothing changes it."""
    return write(tmp_path_factory.mktemp("trace") / "t.h5")


def recorded() -> Contents:
    """What a reader must find, from the arrays themselves."""
    events: dict[str, list[tuple[int, int, int, float]]] = {}
    dense: dict[tuple[str, str], list[np.ndarray]] = {}
    for sample in range(len(SAMPLES)):
        for layer, variables in activity(sample).items():
            for name, array in variables.items():
                flat = array.astype(np.float32).reshape(STEPS, -1)
                if name == "S":
                    places = zip(*np.nonzero(flat), strict=True)
                    found = [(sample, int(t), int(n), float(flat[t, n])) for t, n in places]
                    events[layer] = events.get(layer, []) + found
                else:
                    dense.setdefault((layer, name), []).append(flat)
    header = {"steps": STEPS, **json.loads(HEADER.to_text())}
    return Contents(header, SAMPLES, events, {key: np.stack(found) for key, found in dense.items()})


def out_for(folder: Path, to: str) -> Path:
    name = to.partition(":")[0]
    return folder / f"new.{name}"


def test_every_format_has_a_reader_of_its_own() -> None:
    assert set(READERS) == set(exporters.names())


@pytest.mark.parametrize("to", [*READERS, *VARIANTS])
def test_every_format_read_back_equals_the_trace(trace: Path, tmp_path: Path, to: str) -> None:
    written = export(trace, to, out_for(tmp_path, to))
    assert written[0] == out_for(tmp_path, to) and all(path.exists() for path in written)
    found, expected = READERS[to.partition(":")[0]](written[0]), recorded()
    assert found.header == expected.header
    assert found.samples == expected.samples
    assert {layer for layer, spikes in found.events.items() if spikes} == {"input", "hidden1", "read, out"}
    for layer, spikes in expected.events.items():
        assert found.events.get(layer, []) == sorted(spikes), layer
    assert set(found.dense) == set(expected.dense)
    for key, array in expected.dense.items():
        np.testing.assert_array_equal(found.dense[key], array, strict=True, err_msg=str(key))
    # Nothing but what is said to be written: no temporary file.
    inside = {path.parent for path in written} - {tmp_path}
    assert set(tmp_path.iterdir()) == {path for path in written if path.parent == tmp_path} | inside


@pytest.mark.parametrize("to", list(READERS))
def test_a_trace_without_samples_is_exported(tmp_path: Path, to: str) -> None:
    out = export(write(tmp_path / "t.h5", samples=0), to, out_for(tmp_path, to))[0]
    assert out.exists()


@pytest.mark.parametrize("to", ["csv", "sonata"])
def test_weights_at_some_times_stand_beside_the_export(tmp_path: Path, to: str) -> None:
    weights = np.random.default_rng(0).normal(size=(3, 4, 2)).astype(np.float32)
    header = TraceHeader("x", {"a": (2,)}, parameters={"a.ff.w": (4, 2)})
    with TraceWriter(tmp_path / "t.h5", header) as writer:
        for epoch, value in enumerate(weights):
            writer.append(0, 0, {"a": {"S": np.ones((2, 2))}}, epoch=epoch)
            writer.snapshot(epoch, {"a.ff.w": value})
    out = out_for(tmp_path, to)
    beside = out / "snapshots.npz" if to == "sonata" else tmp_path / "new.snapshots.npz"
    assert export(tmp_path / "t.h5", to, out)[-1] == beside
    with np.load(beside) as file:
        assert sorted(file.files) == ["a.ff.w", "epoch", "samples"]
        np.testing.assert_array_equal(file["a.ff.w"], weights, strict=True)
        assert (file["epoch"].tolist(), file["samples"].tolist()) == ([0, 1, 2], [1, 2, 3])
    samples = out / "samples.csv" if to == "sonata" else tmp_path / "new.samples.csv"
    assert [row.split(",")[4] for row in samples.read_text().splitlines()] == ["epoch", "0", "1", "2"]


@pytest.mark.parametrize("size", [1, 5, 1000])
def test_blocks_hold_every_spike_once_in_order_and_no_more_than_asked(trace: Path, size: int) -> None:
    with TraceReader(trace) as reader:
        blocks = list(event_blocks(reader, "input", size))
        assert all(1 <= len(block.t) <= size for block in blocks)
        found = [column for block in blocks for column in zip(*(c.tolist() for c in block), strict=True)]
        assert found == recorded().events["input"]
        values = [block.values for block in dense_blocks(reader, "hidden1", "v", size)]
        assert [len(block) for block in values] == ([1] * 4 if size < 84 else [4])
        np.testing.assert_array_equal(np.concatenate(values), recorded().dense["hidden1", "v"])
        assert list(event_blocks(reader, "silent", size)) == []


@pytest.fixture(scope="module")
def nwb(trace: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The nasty trace as NWB."""
    return export(trace, "nwb", tmp_path_factory.mktemp("nwb") / "t.nwb")[0]


@pytest.mark.parametrize("archive", [None, "dandi"])
def test_nwb_passes_its_validator_and_inspector(nwb: Path, archive: str | None) -> None:
    assert pynwb.validate(path=str(nwb)) == []
    config = None if archive is None else nwbinspector.load_config(archive)
    messages = list(nwbinspector.inspect_nwbfile(nwbfile_path=str(nwb), config=config))
    least = nwbinspector.Importance.BEST_PRACTICE_SUGGESTION
    assert [message for message in messages if message.importance != least] == []


def test_neo_reads_nwb_trains_and_membranes(nwb: Path) -> None:
    [block] = neo.io.NWBIO(str(nwb)).read_all_blocks()
    [segment] = block.segments
    assert len(segment.spiketrains) == 12 + 7 + 2 + 3
    duration = len(SAMPLES) * STEPS * 1e-4
    assert float(segment.spiketrains[0].t_stop.rescale("s")) == pytest.approx(duration)
    membrane = next(signal for signal in segment.analogsignals if signal.name == "hidden1_v")
    assert (str(membrane.dimensionality), membrane.shape) == ("V", (len(SAMPLES) * STEPS, 7))
    np.testing.assert_allclose(
        membrane.magnitude.reshape(len(SAMPLES), STEPS, 7), recorded().dense["hidden1", "v"] * 0.02, rtol=1e-6
    )


# elephant 1.2.1 hands quantities an argument that it wants no more.
@pytest.mark.filterwarnings("ignore:The 'copy' argument in Quantity is deprecated")
def test_elephant_computes_rates_and_intervals_on_nix(trace: Path, tmp_path: Path) -> None:
    io = neo.io.NixIO(str(export(trace, "nix", tmp_path / "t.nix")[0]), mode="ro")
    block = io.read_block()
    io.close()
    for sample, segment in enumerate(block.segments):
        plain = activity(sample)["hidden1"]["S"] != 0
        trains = [train for train in segment.spiketrains if train.annotations["layer"] == "hidden1"]
        assert len(trains) == 7
        for neuron, train in enumerate(trains):
            rate = elephant.statistics.mean_firing_rate(train).rescale("Hz")
            assert float(rate) == pytest.approx(plain[:, neuron].sum() / (STEPS * 1e-4))
            if plain[:, neuron].sum() > 1:
                intervals = elephant.statistics.isi(train).rescale("ms").magnitude
                np.testing.assert_allclose(intervals, np.diff(np.nonzero(plain[:, neuron])[0]) * 0.1)
        binned = elephant.conversion.BinnedSpikeTrain(trains, bin_size=0.1 * pq.ms, n_bins=STEPS, t_start=0 * pq.ms)
        np.testing.assert_array_equal(binned.to_bool_array(), plain.T)


def test_tonic_lays_events_out_as_frames(trace: Path, tmp_path: Path) -> None:
    folder = export(trace, "events", tmp_path / "events")[0]
    events, end = np.load(folder / "input.npy", mmap_mode="r"), np.load(folder / "input.end.npy")
    to_frame = tonic.transforms.ToFrame(sensor_size=(2, 3, 2), time_window=100, start_time=0, end_time=600)
    for sample in (0, 3):
        frames = to_frame(events[(end[sample - 1] if sample else 0) : end[sample]])
        np.testing.assert_array_equal(frames, activity(sample)["input"]["S"] != 0)


def test_a_wide_population_passes_the_inspector_in_parts(tmp_path: Path) -> None:
    """NWB Inspector takes what is wider than long for a transposed array."""
    values = np.arange(3 * 10, dtype=np.float32).reshape(3, 10)
    with TraceWriter(tmp_path / "t.h5", TraceHeader("x", {"a": (10,)}, units={"v": "threshold"})) as writer:
        writer.append(0, 0, {"a": {"v": values}})
    out = export(tmp_path / "t.h5", "nwb", tmp_path / "t.nwb")[0]
    worst = [m.importance for m in nwbinspector.inspect_nwbfile(nwbfile_path=str(out))]
    assert nwbinspector.Importance.CRITICAL not in worst
    with pynwb.NWBHDF5IO(out, "r") as io:
        parts = sorted(io.read().acquisition.values(), key=lambda series: int(series.name.rpartition("_")[2]))
        np.testing.assert_allclose(np.concatenate([part.data[:] for part in parts], axis=1), values * 0.02, rtol=1e-6)


@pytest.mark.parametrize(
    ("to", "package", "extra"),
    [("parquet", "pyarrow", "parquet"), ("nwb", "pynwb", "nwb"), ("nix", "nixio", "neo"), ("nix", "neo", "neo")],
)
def test_a_format_whose_package_is_missing_names_the_extra(
    trace: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, to: str, package: str, extra: str
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(MissingExtra, match=rf"'{to}' needs the package {package}.*neurorules\[{extra}\]"):
        export(trace, to, out_for(tmp_path, to))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("to", "message"),
    [
        ("parket", "unknown exporter 'parket'. Did you mean 'parquet'"),
        ("nwb:volts=0.02", "volts_per_threshold"),
        ("nwb:volts_per_threshold=0", "volts_per_threshold is 0.0. Give a number above 0"),
        ("nwb:gap_steps=-1", "gap_steps is -1"),
        ("nix:trains=sample", "neuron"),
        ("parquet:compression=zip", "Did you mean 'gzip'"),
    ],
)
def test_an_unknown_format_or_option_is_told(trace: Path, tmp_path: Path, to: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        export(trace, to, tmp_path / "x")
    assert list(tmp_path.iterdir()) == []


def test_a_place_that_cannot_be_written_is_told(trace: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    with pytest.raises(UserError, match=r"file: file exists\. A file or link stands there: name another place"):
        export(trace, "npz", tmp_path / "file" / "t.npz")
    with pytest.raises(UserError, match="is there already, and this format is a folder"):
        export(trace, "sonata", tmp_path / "file")
    with pytest.raises(UserError, match="is the trace itself"):
        export(trace, "npz", trace)
    assert (tmp_path / "file").read_text() == "mine" and list(tmp_path.iterdir()) == [tmp_path / "file"]


def test_steps_that_microseconds_cannot_tell_apart_are_refused(tmp_path: Path) -> None:
    header = TraceHeader("x", {"a": (2,)}, dt_ms=0.0005)
    with TraceWriter(tmp_path / "t.h5", header) as writer:
        writer.append(0, 0, {"a": {"S": np.ones((5, 2))}})
    with pytest.raises(UserError, match="Export to parquet or npz"):
        export(tmp_path / "t.h5", "events", tmp_path / "events")


def test_an_npz_holds_no_date_so_that_equal_traces_give_equal_bytes(trace: Path, tmp_path: Path) -> None:
    export(trace, "npz", tmp_path / "out.npz")
    with zipfile.ZipFile(tmp_path / "out.npz") as archive:
        assert {entry.date_time for entry in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}


def test_the_command_says_what_it_wrote(trace: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "missing" / "spikes.csv"
    assert run(["export", str(trace), "--to", "csv", "--out", str(out), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["out"], found["to"]) == (str(out), "csv")
    assert {Path(name).name for name in found["files"]} == {
        "spikes.csv", "spikes.samples.csv", "spikes.dense.csv", "spikes.json",
    }  # fmt: skip
    assert run(["list", "exporters", "--json"]) == 0
    assert {row["name"] for row in json.loads(capsys.readouterr().out)["exporters"]} == set(READERS)
