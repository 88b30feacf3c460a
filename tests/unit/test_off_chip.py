"""A run that learned on a chip goes on to a machine without it: what is refused, what is said, and which weights go."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from places import SMALL, done, refused

import neurorules
from neurorules import Learner

CHIPS = ("xylo", "loihi", "odin", "spinnaker")
LEARNED = ["--data", "digits", "--rule", "sigprop", *SMALL, "--neuron", "lif:beta=0.9:reset=zero"]


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run on each chip, and one on a chip that leaves the neurons of the net."""
    folder = tmp_path_factory.mktemp("chips")
    for chip in CHIPS:
        done("train", *LEARNED, "--hardware", chip, "--out", folder / chip)
    done("train", *LEARNED, "--hardware", "xylo:neurons=float", "--out", folder / "float")
    return folder


@pytest.mark.parametrize("chip", CHIPS)
@pytest.mark.parametrize(
    "way", [[], ["--as", "ordinary"], ["--script", "net.py"], ["--as", "ordinary", "--script", "net.py"]]
)
def test_brian2_refuses_a_run_that_learned_on_neurons_of_a_chip(
    chip: str, way: list[str], runs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    pytest.importorskip("brian2")
    monkeypatch.chdir(tmp_path)
    line = refused(capsys, "simulate", runs / chip, "--samples", "2", *way)
    assert chip in line.lower() and "hidden1" in line and "neurons=float" in line and "--hardware none" in line
    assert not list(tmp_path.iterdir())


def test_objects_of_the_users_session_are_refused_as_well(runs: Path) -> None:
    pytest.importorskip("brian2")
    with pytest.raises(neurorules.UserError, match="neurons of the device Xylo"):
        neurorules.brian2_network(runs / "xylo")


def test_brian2_runs_what_a_chip_with_the_neurons_of_the_net_has_learned(
    runs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("brian2")
    for way in ([], ["--as", "ordinary"]):
        done("simulate", runs / "float", "--samples", "3", *way)
        assert "all equal" in capsys.readouterr().out


def test_learning_there_refuses_every_device_at_once(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("brian2")
    for name in ("xylo", "float"):
        assert "--hardware none" in refused(capsys, "simulate", runs / name, "--learn", "1", "--samples", "2")


def test_a_graph_of_nir_says_that_it_holds_other_neurons(
    runs: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    pytest.importorskip("nir")
    done("nir", runs / "float", "--out", tmp_path / "float.nir")
    assert not caplog.messages
    done("nir", runs / "xylo", "--out", tmp_path / "xylo.nir")
    [line] = caplog.messages
    assert "neurons of the device Xylo (hidden1, readout)" in line and "\n" not in line


def test_a_network_of_sonata_says_that_it_holds_other_neurons(
    runs: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    done("record", runs / "xylo", "--samples", "2", "--out", tmp_path / "t.h5")
    done("export", tmp_path / "t.h5", "--to", "sonata", "--network", runs / "xylo", "--out", tmp_path / "net")
    assert "neurons of the device Xylo" in "".join(caplog.messages)


def test_membranes_that_a_chip_reads_out_are_said_to_be_compared(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    pytest.importorskip("brian2")
    done("train", *LEARNED, "--norm", "none", "--hardware", "brainscales2", "--out", tmp_path / "run")
    capsys.readouterr()
    done("simulate", tmp_path / "run", "--samples", "2", "--as", "ordinary")
    assert "all equal" in capsys.readouterr().out and "reads them out" in "".join(caplog.messages)


def test_modules_of_snntorch_have_the_weights_that_the_chip_presents() -> None:
    pytest.importorskip("snntorch")
    learner = Learner(
        "6", "dfa", input_shape=(4,), classes=3, steps=3, norm="none", neuron="lif:beta=0.9:reset=zero", hardware="pcm"
    )
    learner.store.hardware_state = learner.store.chip().after(10**9)  # type: ignore[union-attr]
    module = learner.to_snntorch()
    weights = [value for value in module.parameters() if value.shape == (6, 4)]
    assert torch.equal(weights[0].detach(), learner.read()["hidden1.ff.w"])
    assert not torch.equal(weights[0].detach(), learner.learned.parameters["hidden1.ff.w"])
