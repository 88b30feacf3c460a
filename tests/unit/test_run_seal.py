"""The files of a run belong together: an edited configuration and foreign weights are refused by all readers."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

import neurorules
from neurorules.cli import run
from neurorules.language.errors import UserError
from neurorules.runs import checkpoint
from neurorules.runs.folder import CONFIG, RESULT, WEIGHTS, RunFolder
from neurorules.runs.seal import SEAL_FILE
from neurorules.runs.tensors import load_tensors

SETTINGS: dict[str, Any] = {"data": "digits", "net": "6-5", "epochs": 1, "limit": 120, "batch_size": 50, "steps": 3}


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run, another of another rule, and one of a version that bound nothing."""
    home = tmp_path_factory.mktemp("runs")
    neurorules.train(rule="sigprop", out=home / "run", **SETTINGS)
    neurorules.train(rule="dfa", out=home / "other", **SETTINGS)
    shutil.copytree(home / "run", home / "old")
    (home / "old" / SEAL_FILE).unlink()
    tensors = load_file(home / "old" / WEIGHTS)
    del tensors["learner"]
    save_file(tensors, home / "old" / WEIGHTS)
    return home


@pytest.fixture
def folder(trained: Path, tmp_path: Path) -> Path:
    shutil.copytree(trained / "run", tmp_path / "run")
    return tmp_path / "run"


@pytest.fixture
def old(trained: Path, tmp_path: Path) -> Path:
    shutil.copytree(trained / "old", tmp_path / "old")
    return tmp_path / "old"


def edited(folder: Path, **changed: object) -> None:
    config = json.loads((folder / CONFIG).read_text())
    (folder / CONFIG).write_text(json.dumps({**config, **changed}))


def rewritten(folder: Path, change: Callable[[dict[str, torch.Tensor]], object]) -> None:
    tensors = load_file(folder / WEIGHTS)
    _, texts = load_tensors(folder / WEIGHTS)
    change(tensors)
    save_file(tensors, folder / WEIGHTS, texts)


NAME = "parameters/hidden1.ff.w"
DAMAGES: dict[str, Callable[[Path], object]] = {
    "the net": lambda folder: edited(folder, net="6-7"),
    "the normalisation": lambda folder: edited(folder, norm="none"),
    "the rule": lambda folder: edited(folder, rule="dfa"),
    "the neuron": lambda folder: edited(folder, neuron="lif:beta=0.5"),
    "the seed": lambda folder: edited(folder, seed=5),
    "not a number": lambda folder: rewritten(folder, lambda t: t[NAME].fill_(float("nan"))),
    "another sign": lambda folder: rewritten(folder, lambda t: t[NAME].neg_()),
    "whole numbers": lambda folder: rewritten(folder, lambda t: t.update({NAME: t[NAME].long()})),
    "a weight less": lambda folder: rewritten(folder, lambda t: t.pop(NAME)),
    "no texts beside": lambda folder: save_file(load_file(folder / WEIGHTS), folder / WEIGHTS),
    "another run's weights": lambda folder: shutil.copy(folder.parents[1] / "other" / WEIGHTS, folder / WEIGHTS),
    "another run's result": lambda folder: shutil.copy(folder.parents[1] / "other" / RESULT, folder / RESULT),
    "cut short": lambda folder: (folder / WEIGHTS).write_bytes((folder / WEIGHTS).read_bytes()[:-7]),
    "empty": lambda folder: (folder / WEIGHTS).write_bytes(b""),
    "a folder": lambda folder: ((folder / WEIGHTS).unlink(), (folder / WEIGHTS).mkdir()),
    "no configuration": lambda folder: (folder / CONFIG).write_text("[]"),
    "another run's seal": lambda folder: shutil.copy(folder.parents[1] / "other" / SEAL_FILE, folder / SEAL_FILE),
    "no seal": lambda folder: (folder / SEAL_FILE).write_text("[]"),
    "no result": lambda folder: (folder / RESULT).write_text("3"),
}


def readers(folder: Path, out: Path) -> Iterator[list[str]]:
    yield ["record", str(folder), "--samples", "1", "--out", str(out / "t.h5")]
    yield ["simulate", str(folder), "--samples", "1"]
    yield ["explain", str(folder), "--synapse", "hidden1:0:20"]
    yield ["plot", str(folder), "--kind", "weights", "--out", str(out / "w.png")]
    yield ["plot", str(folder), "--kind", "fields", "--out", str(out / "f.png")]
    yield ["compare", "--runs", f"{folder},{folder.parents[1] / 'other'}", "--out", str(out / "side")]


@pytest.mark.parametrize("damage", DAMAGES)
def test_whatever_reads_a_run_refuses_files_that_do_not_belong_together(
    trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], damage: str
) -> None:
    shutil.copytree(trained / "other", tmp_path / "other")
    folder = tmp_path / "in" / "run"
    shutil.copytree(trained / "run", folder)
    DAMAGES[damage](folder)
    there = sorted(tmp_path.rglob("*"))
    for arguments in readers(folder, tmp_path):
        capsys.readouterr()
        assert run(arguments) == 2, arguments
        told = capsys.readouterr()
        assert told.err.count("\n") == 1 and told.err.startswith("neurorules: "), arguments
        assert not told.out
    assert sorted(tmp_path.rglob("*")) == there, "nothing is left behind"


def test_a_run_that_is_whole_is_read_by_all_of_them(trained: Path, tmp_path: Path) -> None:
    shutil.copytree(trained / "other", tmp_path / "other")
    folder = tmp_path / "in" / "run"
    shutil.copytree(trained / "run", folder)
    for arguments in list(readers(folder, tmp_path))[:-1]:  # a comparison of whole runs has tests of its own
        assert run(arguments) == 0, arguments


def test_a_configuration_may_be_laid_out_anew(folder: Path) -> None:
    config = json.loads((folder / CONFIG).read_text())
    (folder / CONFIG).write_text(json.dumps(dict(reversed(config.items()))))
    assert RunFolder.finished(folder).load_weights()


def test_a_run_of_a_version_that_bound_nothing_still_loads(old: Path, tmp_path: Path) -> None:
    assert run(["record", str(old), "--samples", "1", "--out", str(tmp_path / "t.h5")]) == 0


@pytest.mark.parametrize("name", ["the net", "the normalisation", "the rule", "the neuron", "the seed"])
def test_such_a_run_is_refused_where_its_configuration_and_result_differ(old: Path, name: str) -> None:
    DAMAGES[name](old)
    with pytest.raises(UserError, match=r"config\.json says that \w+ is .*, and the run was done with"):
        RunFolder.finished(old)


@pytest.mark.parametrize("name", ["not a number", "whole numbers", "a weight less"])
def test_such_a_run_is_refused_where_its_weights_do_not_fit(
    old: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    DAMAGES[name](old)
    assert run(["simulate", str(old), "--samples", "1"]) == 2
    assert NAME in capsys.readouterr().err


def begun(folder: Path) -> None:
    """The same run before its end."""
    (folder / RESULT).unlink()
    (folder / WEIGHTS).unlink()


def resumed(folder: Path, **changed: Any) -> dict[str, Any]:
    return neurorules.train(rule="sigprop", out=folder, resume=True, **(SETTINGS | changed))


def test_a_run_goes_on_from_its_own_checkpoint(folder: Path) -> None:
    before = RunFolder(folder).read_result()
    begun(folder)
    assert resumed(folder)["test_accuracy"] == before["test_accuracy"]


@pytest.mark.parametrize("changed", [{"net": "6-7"}, {"norm": "none"}, {"lr": 1e-4}, {"seed": 5}], ids=str)
def test_a_checkpoint_of_another_configuration_is_refused_and_stays(folder: Path, changed: dict[str, Any]) -> None:
    begun(folder)
    edited(folder, **changed)
    there = {path: path.read_bytes() for path in folder.iterdir()}
    with pytest.raises(UserError, match=r"checkpoint\.safetensors belongs to another configuration"):
        resumed(folder, **changed)
    assert {path: path.read_bytes() for path in folder.iterdir()} == there


def test_a_checkpoint_that_another_run_wrote_is_refused(folder: Path, trained: Path) -> None:
    begun(folder)
    shutil.copy(trained / "other" / checkpoint.CURRENT, folder / checkpoint.CURRENT)
    with pytest.raises(UserError, match="belongs to another configuration"):
        resumed(folder)


def test_a_folder_in_the_place_of_a_checkpoint_is_told_in_one_line(folder: Path) -> None:
    begun(folder)
    (folder / checkpoint.CURRENT).unlink()
    (folder / checkpoint.CURRENT).mkdir()
    with pytest.raises(UserError, match="is not a file"):
        resumed(folder)


def test_a_checkpoint_goes_along_to_settings_that_may_differ(tmp_path: Path) -> None:
    config = {"rule": "sigprop", "epochs": 1}
    RunFolder.create(tmp_path, config)
    checkpoint.save(tmp_path, {"w": torch.ones(2)}, {"epoch": 1}, config)
    folder = RunFolder.resume(tmp_path, {"rule": "sigprop", "epochs": 3}, may_differ={"epochs"})
    found = checkpoint.load(tmp_path, folder.config())
    assert found is not None and found.state == {"epoch": 1} and torch.equal(found.tensors["w"], torch.ones(2))


HEADERS = {
    "a header longer than the file": (1 << 40).to_bytes(8, "little") + b"{}",
    "no JSON": (8).to_bytes(8, "little") + b"notjson!",
    "a list": (2).to_bytes(8, "little") + b"[]",
    "a type that is none": (57).to_bytes(8, "little")
    + b'{"w":{"dtype":"X9","shape":[1],"data_offsets":[0,4]}}    1234',
    "three bytes": b"abc",
    "zeros": bytes(64),
}


@pytest.mark.parametrize("name", HEADERS)
def test_a_file_that_is_no_safetensors_is_told_in_one_line(tmp_path: Path, name: str) -> None:
    path = tmp_path / "w.safetensors"
    path.write_bytes(HEADERS[name])
    with pytest.raises(UserError, match="is damaged") as raised:
        load_tensors(path)
    assert "\n" not in str(raised.value)
