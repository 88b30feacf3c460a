"""Recording a run in continuous time: what stands in the trace is what its equations did."""

from __future__ import annotations

import shutil
from pathlib import Path

import h5py
import neo
import numpy as np
import pynwb
import pytest
from export_readers import READERS
from small_circuits import keep_small

from neurorules.api import train
from neurorules.brian2_continuous import record
from neurorules.cli import run
from neurorules.runs.folder import RunFolder
from neurorules.traces.exporters import export
from neurorules.traces.store import TraceReader

SMALL = {"path": "brian2", "net": "8-6", "limit": 30, "epochs": 1, "validation": 6}


@pytest.fixture(scope="module")
def trained() -> dict[str, Path]:
    """Runs of this module by the name of their neuron, each trained when it is asked for first."""
    return {}


@pytest.fixture(params=["rate", "lif"])
def folder(
    request: pytest.FixtureRequest, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch, trained: dict[str, Path],
) -> Path:  # fmt: skip
    """A copy of a short run of DRTP on Brian2's numpy target, a few test samples."""
    keep_small(monkeypatch, 20, 12)
    if request.param not in trained:
        trained[request.param] = tmp_path_factory.mktemp(request.param) / "r"
        train(**SMALL, rule="drtp", neuron=request.param, out=trained[request.param])
    return Path(shutil.copytree(trained[request.param], tmp_path / "r"))


def test_what_is_recorded_obeys_the_equations(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    trace, lif = folder / "t.h5", "lif" in RunFolder.finished(folder).config()["neuron"]
    command = ["record", str(folder), "--samples", "2,5,9-17", "--variables", "S,v,a,m,I_const,b,w"]
    assert run([*command, "--out", str(trace)]) == 0
    weights = RunFolder.finished(folder).load_weights()
    with TraceReader(trace) as reader:
        assert [sample.data_index for sample in reader] == [2, 5, *range(9, 18)]
        assert reader.steps == (40 if lif else 10) and reader.header.dt_ms == 1.0
        assert {"S", "v", "a", "m", "I_const"} <= set(reader.variables("hidden1"))
        for name in ("hidden1.ff.w", "hidden2.b"):
            np.testing.assert_array_equal(reader.parameter(0, name), weights[name].float().numpy())
        feedback = weights["feedback1.w"].numpy()
        spikes = 0
        for sample in reader:
            found = {v: reader.dense(sample.position, "hidden1", v) for v in reader.variables("hidden1")}
            # m of DRTP is minus the label's projection, of this very sample.
            np.testing.assert_allclose(found["m"], np.tile(-feedback[:, sample.label], (reader.steps, 1)), rtol=1e-5)
            spikes += int(found["S"].sum())
            _check_steps(found, weights["hidden1.b"].numpy(), lif)
        assert spikes


def _check_steps(found: dict[str, np.ndarray], bias: np.ndarray, lif: bool) -> None:
    """Every step of a sample but its first follows from the one before, integrated exactly."""
    v, current = found["v"], found["I_const"][1:] + bias
    if not lif:
        np.testing.assert_array_equal(found["S"], found["a"])
        expected = current + (v[:-1] - current) * np.exp(-1 / 2.0)
        np.testing.assert_allclose(v[1:], expected, rtol=1e-4, atol=1e-5)
        return
    expected = current + (v[:-1] - current) * np.exp(-1 / 10.0)
    fired = (expected > 1).astype(np.float32)
    sure = np.abs(expected - 1) > 1e-4
    np.testing.assert_array_equal(found["S"][1:][sure], fired[sure])
    np.testing.assert_allclose(v[1:], expected - found["S"][1:], rtol=1e-4, atol=1e-5)


def test_it_does_not_matter_how_many_samples_are_recorded_at_a_time(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    traces = []
    for at_once in (2, 5):
        monkeypatch.setattr(record, "AT_ONCE", at_once)
        trace = folder / f"{at_once}.h5"
        assert run(["record", str(folder), "--samples", "5", "--variables", "S,v,m", "--out", str(trace)]) == 0
        with TraceReader(trace) as reader:
            traces.append([reader.dense(place, "hidden2", name) for place in range(5) for name in ("S", "v", "m")])
    for here, there in zip(*traces, strict=True):
        np.testing.assert_array_equal(here, there)


UNITS = {"v": "threshold", "V_m": "volt", "I_m": "amp"}


def test_units_travel_to_every_export(folder: Path) -> None:
    """Headers are read back from every format, and from those that have units of their own, these too."""
    trace = folder / "t.h5"
    assert run(["record", str(folder), "--samples", "2", "--variables", "S,a,v,V_m,I_m", "--out", str(trace)]) == 0
    with TraceReader(trace) as reader:
        assert dict(reader.header.units) == UNITS
        v, potential = (reader.dense(1, "hidden1", name) for name in ("v", "V_m"))
        np.testing.assert_allclose(potential, v * 0.02, rtol=1e-5)
    for name, read in READERS.items():
        assert read(export(trace, name, folder / f"e.{name}")[0]).header["units"] == UNITS, name
    with pynwb.NWBHDF5IO(folder / "e.nwb", mode="r") as io:
        series = {name: one.unit for name, one in io.read().acquisition.items() if name.startswith("hidden1_")}
    expected = {"a": "dimensionless", "v": "volts", "V_m": "volts", "I_m": "amperes"}
    assert series == {f"hidden1_{name}": unit for name, unit in expected.items()}
    block = neo.io.NixIO(folder / "e.nix", mode="ro").read_block()
    signals = {one.annotations["variable"]: one for one in block.segments[1].analogsignals if "hidden1" in one.name}
    found = {name: one.units.dimensionality.string for name, one in signals.items()}
    assert found == {"a": "dimensionless", "v": "mV", "V_m": "V", "I_m": "A"}
    np.testing.assert_allclose(signals["v"].rescale("V").magnitude, signals["V_m"].magnitude, rtol=1e-5)
    np.testing.assert_array_equal(signals["V_m"].magnitude, potential)
    for name, unit in UNITS.items():
        with h5py.File(folder / "e.sonata" / f"{name}_report.h5") as file:
            assert file["report/hidden1/data"].attrs["units"] == unit


def test_unknown_names_are_answered_with_the_nearest(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for option, says in [
        (["--variables", "I_cons"], "Did you mean 'I_const'"),
        (["--layers", "hiden1"], "unknown layer 'hiden1'. Did you mean 'hidden1'"),
        (["--layers", "readout", "--variables", "v"], "none of the chosen populations has a variable v"),
        (["--samples", "5000"], "--samples is 5000, the test set holds"),
    ]:
        capsys.readouterr()
        assert run(["record", str(folder), *option, "--out", str(folder / "t.h5")]) == 2
        assert says in capsys.readouterr().err
