"""`nir`, `train --net net.nir` and `simulate net.nir`: what they write, show and refuse."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from places import content, done, refused
from test_nir_refusals import graph, lif

import neurorules
from neurorules import Learner
from neurorules.cli import run
from neurorules.exchange.nir.file import read_graph, write_graph
from neurorules.exchange.nir.read import net_of_text

nir = pytest.importorskip("nir")

SHORT = ["--data", "digits", "--epochs", "1", "--limit", "120", "--batch-size", "32"]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A trained run, and the graph of its net beside it."""
    folder = tmp_path_factory.mktemp("nir")
    done("train", "--rule", "dfa", "--net", "14-r9", "--norm", "none", *SHORT, "--out", folder / "run")
    done("nir", folder / "run", "--out", folder / "net.nir")
    return folder


def told(capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> dict[str, Any]:
    """The one object that a command prints."""
    capsys.readouterr()
    assert run([*(str(argument) for argument in arguments), "--json"]) == 0
    captured = capsys.readouterr()
    read: dict[str, Any] = json.loads(captured.out)
    return read


def test_what_a_run_learned_is_what_its_graph_computes(trained: Path) -> None:
    drive = (torch.rand(8, 5, 1, 8, 8, generator=torch.Generator().manual_seed(1)) < 0.4).float() * 8
    here = neurorules.load(trained / "run").respond(drive)
    there = Learner(str(trained / "net.nir"), "dfa", steps=8).respond(drive)
    assert torch.equal(here.scores, there.scores) and float(here.activity[1].S.values.sum()) > 0


def test_the_export_says_what_it_wrote(trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    written = told(capsys, "nir", trained / "run", "--out", tmp_path / "net.nir", "--dt", "0.001")
    assert written["nodes"] == len(nir.read(tmp_path / "net.nir").nodes) and written["step_s"] == 0.001
    done("nir", trained / "run", "--out", tmp_path / "net.nir")  # a graph replaces a graph
    done("nir", tmp_path / "net.nir", "--out", tmp_path / "again.nir", "--dt", "0.002")
    done("nir", tmp_path / "again.nir", "--out", tmp_path / "third.nir")
    assert [read_graph(tmp_path / f"{name}.nir").metadata["dt"] for name in ("again", "third")] == [0.002, 0.002]


def test_info_shows_nodes_time_and_the_net(trained: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shown = told(capsys, "nir", trained / "net.nir", "--info")
    assert {node["type"] for node in shown["nodes"]} == {"Input", "Flatten", "Affine", "Linear", "IF", "Output"}
    assert (shown["step_s"], shown["step_from"], shown["unit"]) == (1e-4, "metadata", "s")
    assert (shown["input_shape"], shown["outputs"]) == ([1, 8, 8], 10)
    assert shown["weights"] == 64 * 14 + 14 * 9 + 9 * 9 + 9 * 10
    done("nir", trained / "net.nir", "--info")
    out = capsys.readouterr().out
    assert "hidden2_rec" in out and "r 10000" in out and "recurrent" in out


@pytest.mark.parametrize(("options", "step", "source"), [
    ("", 1e-4, "assumed"), (":dt=0.002", 0.002, "user"), (":unit=steps:method=exact", None, "steps"),
])  # fmt: skip
def test_info_says_whose_word_the_step_is(
    options: str, step: float | None, source: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_graph(tmp_path / "net.nir", graph({"lif": lif(tau=3e-3 * np.ones(3))}))
    shown = told(capsys, "nir", f"{tmp_path / 'net.nir'}{options}", "--info")
    assert (shown["step_s"], shown["step_from"]) == (step, source)


def test_a_graph_is_trained_by_a_local_rule_and_goes_on_as_a_run(
    trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run_folder = tmp_path / "tuned"
    result = told(capsys, "train", "--rule", "dfa", "--net", trained / "net.nir", *SHORT, "--out", run_folder)
    assert result["net"].startswith(f"{trained / 'net.nir'}#")
    (trained / "net.nir").rename(trained / "gone.nir")  # the run holds the net itself
    try:
        assert told(capsys, "simulate", run_folder, "--samples", "3")["spikes_equal"]
        weights = net_of_text(str(trained / "gone.nir")).parameters["hidden1.ff.w"]
        learned = neurorules.load(run_folder).learned.parameters["hidden1.ff.w"]
        assert 0 < float((weights - learned).abs().max()) < 1
    finally:
        (trained / "gone.nir").rename(trained / "net.nir")
    drawn = told(capsys, "train", "--rule", "dfa", "--net", trained / "net.nir", "--init", "torch", *SHORT,
                 "--out", tmp_path / "drawn")  # fmt: skip
    assert drawn["init"] == "torch"


def test_a_flat_graph_reads_pictures(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    learner = Learner("12", "dfa", input_shape=(64,), classes=10, steps=4, norm="none")
    write_graph(tmp_path / "net.nir", learner.to_nir())
    result = told(capsys, "train", "--rule", "dfa", "--net", tmp_path / "net.nir", *SHORT, "--out", tmp_path / "run")
    assert result["net_layers"].startswith("input 1x8x8, hidden1 12")


def test_simulate_runs_random_spikes_and_samples(trained: Path, capsys: pytest.CaptureFixture[str]) -> None:
    random = told(capsys, "simulate", trained / "net.nir", "--samples", "3", "--steps", "12", "--rate", "0.4")
    assert random["spikes_equal"] and random["spikes_compared"] > 0 and random["steps"] == 12
    assert random == told(capsys, "simulate", trained / "net.nir", "--samples", "3", "--steps", "12", "--rate", "0.4")
    other = told(
        capsys, "simulate", trained / "net.nir", "--samples", "3", "--steps", "12", "--rate", "0.4", "--seed", "1"
    )
    assert other["spikes_per_sample"] != random["spikes_per_sample"]
    real = told(capsys, "simulate", trained / "net.nir", "--samples", "9", "--data", "digits")
    assert real["spikes_equal"] and 0 <= real["test_accuracy"] <= 1
    done("simulate", trained / "net.nir", "--samples", "2")
    assert "all equal" in capsys.readouterr().out


def test_simulate_counts_the_spikes_of_a_graph_of_one_layer(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_graph(tmp_path / "net.nir", graph({"lif": lif(v_leak=0.25 * np.ones(3), v_reset=-0.5 * np.ones(3))}))
    shown = told(capsys, "simulate", tmp_path / "net.nir", "--rate", "1", "--steps", "10")
    # tau 10 steps, r 10, two inputs of weight 1: v rises by 2 and a tenth of 0.25 - v in each step, and fires
    assert shown["spikes_equal"] and shown["spikes_per_sample"] == {"readout": 30.0}


@pytest.mark.parametrize(("arguments", "words"), [
    (("nir", "{run}"), ["--out net.nir", "--info"]),
    (("nir", "{run}", "--info"), [".nir"]),
    (("nir", "{net}", "--info", "--out", "b.nir"), ["one of them"]),
    (("nir", "{run}", "--out", "net.h5"), ["net.h5", ".nir"]),
    (("nir", "{run}", "--out", "a.nir", "--reset", "metdata"), ["metdata", "metadata"]),
    (("nir", "{run}", "--out", "a.nir", "--dt", "-1"), ["dt", "above 0"]),
    (("nir", "{run}", "--out", "a.nir", "--dt", "0"), ["--dt", "above 0"]),
    (("nir", "{net}", "--out", "a.nir", "--dt", "0"), ["--dt", "above 0"]),
    (("nir", "{net}", "--info", "--dt", "0.5"), ["--dt", "--out"]),
    (("nir", "{net}", "--info", "--dt", "0"), ["--dt", "--out"]),
    (("nir", "{net}", "--info", "--reset", "metadata"), ["--reset", "--out"]),
    (("nir", "{net}", "--info", "--reset", "refuse"), ["--reset", "--out"]),
    (("nir", "nowhere", "--out", "a.nir"), ["nowhere"]),
    (("nir", "{broken}", "--info"), ["truncated"]),
    (("nir", "{broken}", "--out", "a.nir"), ["truncated"]),
    (("nir", "{unit}", "--info"), ["fortnight"]),
    (("train", "--net", "{broken}", *SHORT, "--out", "out"), ["truncated"]),
    (("train", "--net", "nowhere.nir", *SHORT, "--out", "out"), ["there is no file nowhere.nir"]),
    (("train", "--net", "{net}:unt=ms", *SHORT, "--out", "out"), ["unt", "unit"]),
    (("train", "--net", "{net}", "--neuron", "lif", *SHORT, "--out", "out"), ["neuron is lif"]),
    (("train", "--net", "{small}", *SHORT, "--out", "out"), ["(2,)", "(1, 8, 8)"]),
    (("train", "--net", "{net}", "--path", "continuous", *SHORT, "--out", "out"), ["--path torch"]),
    (("tune", "--rules", "dfa", "--net", "{net}", *SHORT, "--trials", "1", "--out", "out"), ["nets as text"]),
    (("simulate", "{broken}"), ["truncated"]),
    (("simulate", "{net}", "--learn", "2"), ["train --net"]),
    (("simulate", "{net}", "--samples", "0"), ["--samples"]),
    (("simulate", "{net}", "--rate", "1.5"), ["--rate"]),
    (("simulate", "{net}", "--steps", "0"), ["--steps"]),
    (("simulate", "{net}", "--steps", "0", "--data", "digits"), ["--steps"]),
    (("simulate", "{net}", "--seed", "-1"), ["--seed"]),
    (("simulate", "{net}", "--seed", "-1", "--data", "digits"), ["--seed"]),
    (("simulate", "{net}", "--encode", "poisson"), ["--encode", "--data"]),
    (("simulate", "{net}", "--encode", "nosuch"), ["--encode", "--data"]),
    (("simulate", "{net}", "--data", "digits", "--rate", "0.3"), ["--rate", "--data"]),
    (("simulate", "{net}", "--data", "digitz"), ["digits"]),
    (("simulate", "{run}", "--steps", "4"), ["--steps", "NIR"]),
])  # fmt: skip
def test_what_cannot_be_had_ends_in_one_line_and_leaves_nothing(
    arguments: tuple[str, ...], words: list[str], trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    side = tmp_path / "side"
    side.mkdir()
    whole = (trained / "net.nir").read_bytes()
    (side / "broken.nir").write_bytes(whole[: len(whole) // 2])
    write_graph(side / "small.nir", graph({"lif": lif()}))
    write_graph(side / "unit.nir", graph({"lif": lif()}, metadata={"time_unit": "fortnight"}))
    places = {"run": trained / "run", "net": trained / "net.nir", **{path.stem: path for path in side.iterdir()}}
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    before = content(trained)
    line = refused(capsys, *(argument.format(**places) for argument in arguments))
    for word in words:
        assert word in line, line
    assert content(here) == {} and content(trained) == before


def test_a_reset_that_nir_cannot_say_is_refused_and_stored_where_that_is_asked_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    done("train", "--rule", "dfa", "--net", "8", "--norm", "none", "--neuron", "lif", *SHORT, "--out", tmp_path / "run")
    line = refused(capsys, "nir", tmp_path / "run", "--out", tmp_path / "net.nir")
    assert "hidden1" in line and "subtract" in line and "--reset metadata" in line
    assert not (tmp_path / "net.nir").exists()
    done("nir", tmp_path / "run", "--out", tmp_path / "net.nir", "--reset", "metadata")
    assert net_of_text(str(tmp_path / "net.nir")).network.layers[0].neuron.reset == "subtract"  # type: ignore[attr-defined]


def test_a_file_of_another_kind_is_not_replaced(
    trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "net.nir").write_text("my notes")
    assert "net.nir" in refused(capsys, "nir", trained / "run", "--out", tmp_path / "net.nir")
    assert (tmp_path / "net.nir").read_text() == "my notes"
