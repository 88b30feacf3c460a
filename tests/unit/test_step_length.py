"""What one step lasts (`--dt-ms`): recordings, exports, plots and models tell times by it, and no spike changes."""

from __future__ import annotations

import csv
import re
from pathlib import Path

import h5py
import numpy as np
import pytest

from neurorules.cli import run
from neurorules.traces.exporters import export
from neurorules.traces.plots import PLOTS
from neurorules.traces.store import TraceReader

STEPS, SAMPLES = 5, 3


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("run") / "r"
    given = ["--rule", "shallow", "--data", "digits", "--net", "6", "--neuron", "lif:beta=0.8", "--limit", "40"]
    assert run(["train", *given, "--epochs", "1", "--steps", str(STEPS), "--out", str(out)]) == 0
    return out


def recorded(folder: Path, out: Path, *more: str) -> TraceReader:
    assert run(["record", str(folder), "--samples", str(SAMPLES), "--out", str(out), *more]) == 0
    return TraceReader(out)


def test_a_recording_has_the_spikes_of_any_other_at_its_own_times(folder: Path, tmp_path: Path) -> None:
    with recorded(folder, tmp_path / "a.h5") as usual, recorded(folder, tmp_path / "b.h5", "--dt-ms", "5") as slow:
        assert (usual.header.dt_ms, slow.header.dt_ms) == (1.0, 5.0)
        for sample in range(SAMPLES):
            left, right = (one.events(sample, "hidden1") for one in (usual, slow))
            assert all(np.array_equal(a, b) for a, b in zip(left, right, strict=True)) and len(left.t)
    with h5py.File(tmp_path / "b.h5") as file:
        assert file.attrs["dt_ms"] == 5.0


def test_rates_and_exports_count_in_it(folder: Path, tmp_path: Path) -> None:
    recorded(folder, tmp_path / "t.h5", "--dt-ms", "5").close()
    export(tmp_path / "t.h5", "csv", tmp_path / "t.csv")
    with (tmp_path / "t.csv").open() as file:
        times = {float(row["t_ms"]) for row in csv.DictReader(file)}
    assert times <= {5 * (step + 0.5) for step in range(STEPS)} and len(times) > 1
    figure = PLOTS.make("rates").figure([tmp_path / "t.h5"], None)
    assert "1 step = 5 ms" in figure.axes[-1].get_xlabel()
    with TraceReader(tmp_path / "t.h5") as reader:
        spikes = sum(len(reader.events(sample, "hidden1").t) for sample in range(SAMPLES))
        mean = 1000 * spikes / (SAMPLES * STEPS * 5 * reader.header.neurons("hidden1"))
    assert any(f"mean {mean:.1f} Hz" in text.get_text() for axis in figure.axes for text in axis.texts)


def test_a_continuous_run_has_its_own_and_a_step_lasts_some_time(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for wrong in ("0", "-1", "nan"):
        assert run(["record", str(folder), "--out", str(tmp_path / "t.h5"), "--dt-ms", wrong]) == 2
        assert "--dt-ms" in capsys.readouterr().err
    assert run(["simulate", str(folder), "--dt-ms", "5"]) == 2
    assert "--show-model" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_the_model_in_brian2_counts_in_it(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("brian2")
    assert run(["simulate", str(folder), "--samples", "1", "--show-model", "--dt-ms", "5"]) == 0
    shown = capsys.readouterr().out
    assert "one step = 5 ms" in shown and "pF/(5.0*ms)" in shown and "all equal" in shown
    tau = re.search(r"beta = 0.8  # tau_m = ([\d.]+) ms", shown)
    assert tau is not None and float(tau[1]) == pytest.approx(-5 / np.log(0.8), rel=1e-3)


def test_a_script_runs_in_it_and_sends_the_same_spikes(folder: Path, tmp_path: Path) -> None:
    pytest.importorskip("brian2")
    from tests.unit.test_scripts import learned_by

    found = []
    for name, more in (("usual", []), ("slow", ["--dt-ms", "5"])):
        script = tmp_path / f"{name}.py"
        assert run(["simulate", str(folder), "--samples", "2", "--script", str(script), *more]) == 0
        found.append(learned_by(script))
    assert "Clock(5*ms" in script.read_text() and f"network.run({5 * STEPS}*ms" in script.read_text()
    assert all(np.array_equal(found[0][name], found[1][name]) for name in found[0]) and found[0]["hidden1.spikes"].any()


def test_a_scale_tells_volts_and_pictures_and_moves_no_spike(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("brian2")
    scale = ["--scale", "threshold_mV=15:capacitance_pF=200"]
    assert run(["simulate", str(folder), "--samples", "1", "--show-model", *scale]) == 0
    shown = capsys.readouterr().out
    assert "V_m = v*15.0*mV : volt" in shown and "v = 1 is 15 mV above rest, capacitance 200 pF" in shown
    assert "v_threshold = 1  # 15 mV" in shown and "Q_w = w*15.0*mV*200.0*pF" in shown and "20.0*mV" not in shown
    script = tmp_path / "net.py"
    assert run(["simulate", str(folder), "--samples", "2", "--as", "ordinary", "--script", str(script), *scale]) == 0
    assert "V_m = v*15.0*mV : volt" in script.read_text()
    with recorded(folder, tmp_path / "a.h5") as usual, recorded(folder, tmp_path / "b.h5", *scale) as scaled:
        assert not usual.header.scale and scaled.header.scale == {"threshold_mV": 15.0, "capacitance_pF": 200.0}
        assert np.array_equal(usual.dense(0, "hidden1", "v"), scaled.dense(0, "hidden1", "v"))
        v = scaled.dense(0, "hidden1", "v")
    drawn = PLOTS.make("voltage:neurons=6").figure([tmp_path / "b.h5"], [0]).axes
    assert drawn[0].get_ylabel().endswith("V (mV)")
    curves = [line.get_ydata() for axis in drawn[:6] for line in axis.get_lines() if len(line.get_ydata()) == STEPS]
    assert sorted(float(one.max()) for one in curves) == pytest.approx(sorted(15.0 * v.max(0)), rel=1e-6)
    for wrong, says in (
        ("threshold=15", "unknown option of --scale 'threshold'. Did you mean 'threshold_mV'"),
        ("threshold_mV=0", "threshold_mV is 0.0. Give a number above 0"),
    ):
        assert run(["simulate", str(folder), "--show-model", "--scale", wrong]) == 2
        assert says in capsys.readouterr().err
    assert run(["simulate", str(folder), *scale]) == 2
    assert "--scale says what numbers stand for in the model of a run" in capsys.readouterr().err
