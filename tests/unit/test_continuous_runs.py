"""`train --path continuous`: run folders, stops, machines without a compiler, and what is refused."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from small_circuits import keep_small

from neurorules.api import train
from neurorules.brian2_continuous import trainer
from neurorules.brian2_continuous.parts import choose
from neurorules.brian2_continuous.parts.circuit import Circuit
from neurorules.brian2_continuous.parts.interpreted import Interpreted
from neurorules.brian2_continuous.parts.layers import TEACHING_PHASE
from neurorules.brian2_continuous.parts.plan import samples_and_classes
from neurorules.brian2_continuous.revive import revive
from neurorules.cli import run
from neurorules.compare.comparison import Planned
from neurorules.language.config import config_from, path_of
from neurorules.runs.folder import RESULT_KEYS, RunFolder
from neurorules.runs.interrupt import Interrupted, StopFlag

SMALL = {"path": "continuous", "rule": "sigprop", "net": "6", "limit": 24, "epochs": 2, "validation": 8}


@pytest.fixture
def interpreted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Brian2's numpy target and short runs; a test set of a few samples."""
    keep_small(monkeypatch, 8, 24)


def as_older_versions_stored_it(folder: Path) -> None:
    """Give a finished run the older word for its path, and no digests, as the first versions wrote it."""
    for name in ("config.json", "result.json"):
        path = folder / name
        path.write_text(path.read_text().replace('"continuous"', '"brian2"'))
    for path in (folder / "seal.json", *folder.glob("checkpoint*")):
        path.unlink()


@pytest.mark.usefixtures("interpreted")
def test_a_run_folder_like_any_other_comes_out_and_goes_on_under_the_older_word_for_its_path(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    few = {**SMALL, "limit": 10, "validation": 4}
    result = train(**{**few, "path": "brian2"}, out=tmp_path / "r")
    assert set(RESULT_KEYS) <= set(result) and result["path"] == "continuous" and path_of("brian2") == "continuous"
    folder = RunFolder.finished(tmp_path / "r")
    assert [row["epoch"] for row in folder.read_metrics()] == [1, 2]
    weights = folder.load_weights()
    assert weights["hidden1.ff.w"].shape == (6, 64)
    assert weights["readout.ff.w"].shape == (10, 6)
    assert folder.read_result()["path"] == "continuous"
    as_older_versions_stored_it(tmp_path / "r")
    folder = RunFolder.finished(tmp_path / "r")
    assert folder.config()["path"] == "brian2" and folder.read_result()["path"] == "continuous"
    assert run(["simulate", str(tmp_path / "r")]) == 2
    assert "learned in continuous time" in capsys.readouterr().err
    again = train(**few, out=tmp_path / "r", resume=True)
    assert again["test_accuracy"] == result["test_accuracy"]
    assert RunFolder.finished(tmp_path / "r").read_result()["path"] == "continuous"


@pytest.mark.usefixtures("interpreted")
def test_a_stopped_run_keeps_what_it_learned_and_goes_on_to_the_same_weights(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    train(**SMALL, out=tmp_path / "whole")
    asked = iter([False, True])
    with monkeypatch.context() as stopping:
        stopping.setattr(StopFlag, "requested", property(lambda flag: next(asked, True)))
        with pytest.raises(Interrupted, match="What was learned is saved.*--resume"):
            train(**SMALL, out=tmp_path / "stopped")
    train(**SMALL, out=tmp_path / "stopped", resume=True)
    whole, stopped = (RunFolder.finished(tmp_path / name).load_weights() for name in ("whole", "stopped"))
    for name, values in whole.items():
        np.testing.assert_array_equal(stopped[name].numpy(), values.numpy(), err_msg=name)


@pytest.mark.usefixtures("interpreted")
def test_a_trained_circuit_runs_again_with_a_shorter_step(tmp_path: Path) -> None:
    train(**{**SMALL, "epochs": 1}, out=tmp_path / "r")
    finer = revive(tmp_path / "r", neuron="rate:dt_ms=0.5").run
    assert finer.circuit.dt_ms == 0.5 and finer.config.steps == 20
    for name, values in RunFolder.finished(tmp_path / "r").load_weights().items():
        np.testing.assert_array_equal(finer.stream.parameters()[name], values.numpy(), err_msg=name)


def test_without_a_compiler_the_numpy_target_runs_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None)
    circuit = Circuit((), (), {}, 1, 1.0, 1.0)
    with pytest.warns(RuntimeWarning, match=r"no C\+\+ compiler.*numpy target.*times slower.*apt install g\+\+"):
        assert isinstance(choose.machine_for(circuit), Interpreted)


def test_presentations_too_short_for_a_time_constant_are_told(caplog: pytest.LogCaptureFixture) -> None:
    trainer.check_times(trainer.neuron_of("lif:period_ms=10"))
    assert "samples run into each other" in caplog.text


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--neuron", "rate:tau_ms=1.9"], "the fastest time constant is 1.9 ms, and dt_ms is 1"),
        (["--neuron", "lif:tau_ms=-3"], "tau_ms is -3.0. Give a number above 0"),
        (["--neuron", "lif:dt_ms=7"], "Give a step that divides it"),
        (["--neuron", "lif:method=rk4"], "Known: exact, exponential_euler"),
        (["--rule", "stdp:a_plus=-1"], "a_plus is -1.0. Give a number of at least 0"),
        (["--batch-size", "4"], "--batch-size 4 has no meaning with --path continuous"),
        (["--precision", "fast"], "--precision fast has no meaning with --path continuous"),
        (["--device", "cuda"], "--device cuda has no meaning with --path continuous: Brian2 computes on the processor"),
        (["--dw", "v_pre*S_post"], "--dw v_pre*S_post has no meaning with --path continuous"),
        (["--rule", "bptt"], "no equations in continuous time: its signal"),
        (["--rule", "sigpro"], "Did you mean 'sigprop'"),
        (["--net", "c8k3-10"], "dense and recurrent layers, and no convolutions"),
        (["--rule", "bsp", "--net", "r10"], "bsp in continuous time has no recurrent layers"),
        (["--rule", "sigprop:loss=contrastive_hebbian"], "generator=target_loop"),
        (["--norm", "streaming"], "--norm streaming has no meaning with --path continuous"),
        (["--neuron", "rat"], "Did you mean 'rate'"),
        (["--neuron", "rate:tau=3"], "tau_ms"),
        (["--encode", "poisson"], "this encoder makes spikes"),
        (["--rule", "pepita"], "pepita:form=contrastive"),
        (["--rule", "bsp:mode=exact"], "bsp:mode=final"),
        (["--rule", "sigprop:loss=cosine"], "loss=label or l2"),
    ],
)
def test_mistakes_are_told_in_one_line(
    options: list[str], says: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["train", "--path", "brian2", *options, "--out", str(tmp_path / "r")]) == 2
    error = capsys.readouterr().err
    assert says in error
    assert error.count("\n") == 1
    assert not (tmp_path / "r").exists()


def test_continuous_is_the_name_and_brian2_an_alias(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    numbers = []
    for word in ("continuous", "brian2"):
        result = train(**{**SMALL, "path": word, "epochs": 1}, out=tmp_path / word)
        assert result["path"] == "continuous" == RunFolder(tmp_path / word).config()["path"]
        assert run(["record", str(tmp_path / word), "--samples", "2", "--out", str(tmp_path / f"{word}.h5")]) == 0
        numbers.append((result["test_accuracy"], result["validation_accuracy"]))
    assert numbers[0] == numbers[1]
    capsys.readouterr()
    assert run(["list", "rules", "--json"]) == 0
    rows = {row["name"]: row for row in json.loads(capsys.readouterr().out)["rules"]}
    assert rows["sigprop"]["paths"] == "torch, continuous" and rows["espp"]["paths"] == "torch"
    assert "step by step" in rows["espp"]["learns in"] and "continuous" not in rows["espp"]["learns in"]


def test_a_comparison_takes_both_paths(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["compare", "--rules", "sigprop", "--paths", "torch,brain2", "--out", str(tmp_path / "c")]) == 2
    assert "Did you mean 'brian2'" in capsys.readouterr().err


def test_classes_are_shown_before_the_samples_and_among_them() -> None:
    order = samples_and_classes(np.arange(10) % 3, 3, every=4)
    assert order.samples.tolist() == [-1, -1, -1, 0, 1, 2, 3, -1, 4, 5, 6, 7, -1, 8, 9, -1]
    assert order.labels.tolist() == [0, 1, 2, 0, 1, 2, 0, 0, 1, 2, 0, 1, 1, 2, 0, 2]
    assert order.phases.tolist().count(TEACHING_PHASE) == 6


def test_a_comparison_of_an_earlier_version_is_found_again(tmp_path: Path) -> None:
    planned = Planned("sigprop @ continuous", trainer.settle(config_from(SMALL)))
    assert planned.standing_folder(tmp_path) == tmp_path / "sigprop@continuous" / "seed0"
    (tmp_path / "sigprop@brian2" / "seed0").mkdir(parents=True)
    assert planned.standing_folder(tmp_path) == tmp_path / "sigprop@brian2" / "seed0"
