"""Pictures and recordings of runs in continuous time: mV, ms and pC come from the header, weights from the epochs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pynwb
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from small_circuits import keep_small

from neurorules.cli import run
from neurorules.language.errors import UserError
from neurorules.runs.folder import RunFolder
from neurorules.traces.exporters import export
from neurorules.traces.header import TraceHeader
from neurorules.traces.plots import PLOTS, plot
from neurorules.traces.plots.histograms import histograms
from neurorules.traces.store import TraceReader
from neurorules.traces.writer import TraceWriter

SCALE = {"threshold_mV": 15.0, "capacitance_pF": 200.0}
NEURON = "lif:threshold_mV=15:capacitance_pF=200:period_ms=20"
SMALL = ["train", "--path", "continuous", "--rule", "drtp", "--data", "digits", "--net", "6-5", "--limit", "10",
         "--epochs", "1", "--validation", "3", "--json"]  # fmt: skip


def trace_of(path: Path, spiking: bool, scale: dict[str, float], **variables: np.ndarray) -> Path:
    """A trace in continuous time with steps of 0.5 ms, of one layer with two units."""
    config = {"path": "continuous", "neuron": "lif:tau_ms=5" if spiking else "rate:ceiling=3"}
    header = TraceHeader("drtp", {"hidden1": (2,)}, 0.5, config=config, scale=scale, spiking=spiking)
    with TraceWriter(path, header) as writer:
        writer.append(0, 1, {"hidden1": variables}, prediction=1)
    return path


def curve(axis: Axes, length: int) -> np.ndarray:
    return next(np.asarray(line.get_ydata()) for line in axis.get_lines() if len(line.get_ydata()) == length)


@pytest.mark.parametrize("variable", ["v", "V_m"])
def test_a_membrane_is_drawn_in_millivolts_with_its_spikes_at_the_threshold(tmp_path: Path, variable: str) -> None:
    v, spikes = np.array([[0.2, -0.4], [0.1, 0.0], [0.8, 0.5]]), np.array([[0, 0], [1, 0], [0, 0]])
    recorded = v if variable == "v" else v * 0.015
    trace = trace_of(tmp_path / "t.h5", True, SCALE, S=spikes, **{variable: recorded})
    figure = PLOTS.make("voltage:neurons=2").figure([trace], None)
    of_unit_0 = figure.axes[0]
    assert of_unit_0.get_ylabel() == "hidden1, 0\nV (mV)" and figure.axes[1].get_xlabel() == "time (ms)"
    np.testing.assert_allclose(curve(of_unit_0, 3), [3.0, 1.5, 12.0], rtol=1e-6)
    lines = {line.get_label(): line for line in of_unit_0.get_lines()}
    assert set(lines["threshold"].get_ydata()) == {15.0}
    np.testing.assert_allclose(lines["spike"].get_xydata(), [[1, 15.0]])  # not at 1.5 mV, where the reset has left it
    below = figure.axes[1]
    ticks = dict(zip(below.get_xticks(), (text.get_text() for text in below.get_xticklabels()), strict=True))
    assert ticks[-0.5] == "0" and ticks[1.5] == "1"  # step k begins at k dt
    assert "at the end of each step" in figure.get_suptitle()


def test_a_potential_in_volt_without_a_scale_is_drawn_without_a_guess(tmp_path: Path) -> None:
    trace = trace_of(tmp_path / "t.h5", True, {}, S=np.zeros((3, 2)), V_m=np.full((3, 2), 0.004))
    np.testing.assert_allclose(curve(PLOTS.make("voltage").figure([trace], None).axes[0], 3), 4.0, rtol=1e-6)


def test_units_that_do_not_spike_are_shades_and_have_no_rate(tmp_path: Path) -> None:
    activity = np.array([[0.5, 0.0], [1.0, 0.25]])
    trace = trace_of(tmp_path / "t.h5", False, SCALE, S=activity, v=activity)
    figure = PLOTS.make("raster").figure([trace], None)
    np.testing.assert_allclose(figure.axes[0].get_images()[0].get_array(), activity.T)
    assert figure.get_suptitle().startswith("Activity") and figure.axes[0].get_xlabel() == "time (ms)"
    lines = PLOTS.make("voltage").figure([trace], None).axes[0].get_lines()
    assert not {"threshold", "spike"} & {line.get_label() for line in lines if len(line.get_xydata())}
    with pytest.raises(UserError, match="do not spike, so that they have no firing rate"):
        PLOTS.make("rates").figure([trace], None)


def test_a_histogram_counts_each_weight_once_in_each_epoch_and_shows_its_charge() -> None:
    first, last = np.array([0.0, 0.0, 0.0, 1.0]), np.array([[0.0, 2.0], [2.0, 2.0]])
    axis = histograms(Figure().subplots(), [first, last], [0, 7], bins=2, picocoulombs=3.0)
    (mesh,) = axis.collections
    np.testing.assert_allclose(np.asarray(mesh.get_array()) ** 2, [[0.75, 0.25], [0.25, 0.75]])
    medians = axis.get_lines()[1].get_ydata()
    np.testing.assert_allclose(medians, [0.0, 2.0])
    (charge,) = axis.child_axes
    axis.figure.draw_without_rendering()
    np.testing.assert_allclose(charge.get_ylim(), 3 * np.array(axis.get_ylim()))
    assert charge.get_ylabel() == "charge of a spike (pC)"
    assert [axis.xaxis.get_major_formatter()(place, 0) for place in (0, 0.5, 1)] == ["0", "", "7"]
    with pytest.raises(UserError, match="2 arrays of weights and 1 epochs"):
        histograms(Figure().subplots(), [first, last], [0])


def test_a_run_records_while_its_equations_learn_and_learns_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    keep_small(monkeypatch, 4, 8)
    watched, alone = tmp_path / "watched", tmp_path / "alone"
    more = ["--neuron", NEURON, "--record", "S,v,V_m,m,w", "--record-samples", "0-2"]
    assert run([*SMALL, *more, "--out", str(watched)]) == 0
    assert run([*SMALL, "--neuron", NEURON, "--out", str(alone)]) == 0
    for name, weights in RunFolder.finished(alone).load_weights().items():
        np.testing.assert_array_equal(weights, RunFolder.finished(watched).load_weights()[name])
    _check_recording(watched)
    # A resumed run writes the epochs once that it shows again.
    assert run([*SMALL, *more, "--out", str(watched), "--resume"]) == 0
    _check_recording(watched)
    assert run([*SMALL, "--neuron", NEURON, "--record", "S", "--out", str(watched), "--resume"]) == 2
    assert "was begun with another recording: variables" in capsys.readouterr().err


def _check_recording(folder: Path) -> None:
    learned = RunFolder.finished(folder).load_weights()
    with TraceReader(folder / "traces.h5") as reader:
        assert dict(reader.header.scale) == SCALE and reader.header.spiking
        assert [(s.epoch, s.data_index) for s in reader] == [(e, k) for e in range(2) for k in range(3)]
        assert [snapshot.epoch for snapshot in reader.snapshots] == [0, 1]
        w = [reader.parameter(place, "hidden2.ff.w") for place in range(2)]
        np.testing.assert_array_equal(w[1], learned["hidden2.ff.w"].float().numpy())
        assert not np.array_equal(w[0], w[1])
        # Input is a current, and the read-out is driven by activity: only spikes bring charges.
        charges = {name for name, unit in reader.header.units.items() if unit == "threshold capacitance"}
        assert charges == {"hidden2.ff.w"}
        m = reader.dense(5, "hidden1", "m")[0]  # of DRTP: minus the wires of the label
        np.testing.assert_allclose(m, -learned["feedback1.w"].numpy()[:, reader.samples[5].label], rtol=1e-5)
    plot([folder / "traces.h5"], "histograms", folder / "h.png")
    exported = export(folder / "traces.h5", "nwb", folder / "e.nwb")[0]
    with pynwb.NWBHDF5IO(exported, mode="r") as io:  # the trace says what a threshold is
        series = io.read().acquisition
        np.testing.assert_allclose(series["hidden1_v"].data[:], series["hidden1_V_m"].data[:], rtol=1e-5)
    exported.unlink()


def test_the_weights_of_a_run_in_continuous_time_are_drawn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    keep_small(monkeypatch, 4, 8)
    assert run([*SMALL, "--neuron", "rate:ceiling=3", "--out", str(tmp_path / "r")]) == 0
    figure = PLOTS.make("weights").figure([tmp_path / "r"], None)
    assert {"hidden1.ff", "hidden2.ff", "readout.ff"} <= {axis.get_title(loc="left") for axis in figure.axes}
    assert PLOTS.make("fields").figure([tmp_path / "r"], None).axes[0].get_title(loc="left").startswith("hidden1: 6")
