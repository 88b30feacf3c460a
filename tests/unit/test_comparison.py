"""`compare`: what it writes, what it counts, what it refuses, and how it goes on."""

from __future__ import annotations

import ast
import csv
import json
import shlex
import shutil
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import neurorules
from neurorules.cli import run
from neurorules.compare.comparison import command_line, compare, plan, python_line
from neurorules.compare.gather import SHARED, check_comparable
from neurorules.compare.measures.summary import reached
from neurorules.compare.measures.tables import as_csv
from neurorules.language.config import SETTINGS, TrainConfig, config_from
from neurorules.language.errors import UserError
from neurorules.runs.folder import RunFolder, open_run
from neurorules.runs.memory import PeakMemory

SMALL = ["--net", "6", "--steps", "3", "--epochs", "1", "--limit", "100", "--batch-size", "32"]
LISTS = ("runs", "alignment", "layers", "epochs", "rules")


@pytest.fixture(scope="module")
def comparison(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two seeds of a rule, of the exact gradient and of both controls."""
    out = tmp_path_factory.mktemp("comparisons") / "first"
    assert run(["compare", *SMALL, "--rules", "sigprop,bptt", "--seeds", "2", "--out", str(out), "--json"]) == 0
    return out


def read(out: Path) -> dict[str, Any]:
    return json.loads((out / "compare.json").read_text())


def fails(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """The one line of a refusal."""
    assert run(list(arguments)) == 2
    lines = capsys.readouterr().err.strip().splitlines()
    assert len(lines) == 1
    return lines[0]


def test_every_list_has_its_rows(comparison: Path) -> None:
    found = read(comparison)
    assert (found["format"], found["format_version"]) == ("neurorules-compare", 3)
    labels = [
        "sigprop", "bptt", "shallow@readout_lr=0.01", "shallow@readout_lr=0.003", "sigprop, shuffled targets"
    ]  # fmt: skip
    assert [(r["rule"], r["seed"]) for r in found["runs"]] == [(name, seed) for name in labels for seed in (0, 1)]
    assert [(r["rule"], r["control"], r["seeds"]) for r in found["rules"]] == list(
        zip(labels, ("", "", "shallow", "shallow", "shuffled"), (2,) * 5, strict=True)
    )
    keys = [(r["rule"], r["seed"], r["layer"], r["epoch"]) for r in found["layers"]]
    assert len(keys) == len(set(keys)) == 5 * 2 * 2 * 2  # rules, seeds, layers, epochs 0 and 1
    assert {r["layer"] for r in found["alignment"] if r["rule"].startswith("shallow")} == {"readout"}
    assert len(found["alignment"]) == 3 * 8 + 2 * 4
    for row in found["alignment"]:
        if row["rule"] == "bptt":
            # Streaming normalisation: BPTT's own update is centred and decorrelated, and so no exact gradient.
            assert row["signal_angle_deg"] < 0.1
            assert (row["angle_deg"] < 0.1) == (row["layer"] == "readout") and 0 < row["cosine"] <= 1
    exact = [row["cka"] for row in found["layers"] if row["rule"] == "bptt"]
    other = [row["cka"] for row in found["layers"] if row["rule"] == "sigprop" and row["epoch"] == 1]
    assert all(cka == pytest.approx(1, abs=1e-5) for cka in exact) and all(cka < 0.9999 for cka in other)
    assert [(r["epoch"], r["rule"]) for r in found["epochs"]] == [(1, name) for name in labels for _ in (0, 1)]
    assert found["settings"]["net"] == "6" and found["differing"] == ["readout_lr"]
    assert found["machine"]["cores"] >= 1 and found["command"].startswith("neurorules compare --rules sigprop,bptt")


def test_rows_of_rules_count_seeds(comparison: Path) -> None:
    found = read(comparison)
    by_rule = {row["rule"]: row for row in found["rules"]}
    values = {name: [r["test_accuracy"] for r in found["runs"] if r["rule"] == name] for name in by_rule}
    for name, row in by_rule.items():
        assert row["test_accuracy"]["values"] == values[name]
        assert row["test_accuracy"]["low"] < row["test_accuracy"]["mean"] < row["test_accuracy"]["high"]
    difference = by_rule["sigprop"]["difference"]
    assert difference["to"] == "bptt" and difference["seeds"] == 2 and by_rule["bptt"]["difference"] is None
    assert difference["mean"] == pytest.approx(np.mean(np.subtract(values["sigprop"], values["bptt"])))
    assert by_rule["bptt"]["learning_bytes_per_sample"] > by_rule["sigprop"]["learning_bytes_per_sample"] > 0
    frozen = by_rule["shallow@readout_lr=0.003"]
    assert frozen["learning_bytes_per_sample"] == 0 and frozen["energy_pJ"] is None
    assert by_rule["sigprop"]["epochs_to"]["0.97"] is None


def test_each_list_is_a_table_too(comparison: Path) -> None:
    found = read(comparison)
    for name in LISTS:
        rows = list(csv.DictReader((comparison / f"{name}.csv").read_text().splitlines()))
        assert len(rows) == len(found[name]), name
    assert (comparison / "audit.csv").exists()
    row = next(csv.DictReader((comparison / "rules.csv").read_text().splitlines()))
    assert float(row["test_accuracy.mean"]) == found["rules"][0]["test_accuracy"]["mean"]
    text = as_csv([{"a": 1, "b": None}, {"a": None, "b": {"c": [1, "x,y"], "d": 0.5}}])
    assert text == 'a,b.c,b.d\n1,,\n,"[1, ""x,y""]",0.5\n' and as_csv([]) == ""


def test_a_stopped_comparison_goes_on_to_the_same_numbers(
    comparison: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = read(comparison)
    arguments = ["compare", *SMALL, "--rules", "sigprop,bptt", "--seeds", "2", "--out", str(comparison)]
    assert "--resume" in fails(capsys, *arguments)
    (comparison / "sigprop@shuffled_targets" / "seed1" / "result.json").unlink()
    assert run([*arguments, "--resume", "--json"]) == 0
    after = read(comparison)
    for name in ("alignment", "layers"):
        assert after[name] == before[name]
    assert [r["test_accuracy"] for r in after["runs"]] == [r["test_accuracy"] for r in before["runs"]]


def test_going_on_with_other_settings_names_them_and_trains_nothing(
    comparison: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["compare", *SMALL, "--rules", "dfa,bptt", "--out", str(comparison), "--resume"]
    line = fails(capsys, *arguments, "--epochs", "3", "--lr", "0.1")
    assert "epochs is 1, asked 3" in line and "lr is 0.003, asked 0.1" in line and "net" not in line.split("other")[1]
    assert not (comparison / "dfa").exists()


def test_finished_runs_from_anywhere_make_a_comparison(
    comparison: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    runs = [comparison / name for name in ("sigprop/seed0", "sigprop/seed1", "bptt/seed1")]
    out, chosen = tmp_path / "chosen", ",".join(map(str, runs))
    assert run(["compare", "--runs", chosen, "--out", str(out), "--json"]) == 0
    found = read(out)
    assert [row["seeds"] for row in found["rules"]] == [2, 1] and found["rules"][0]["difference"]["seeds"] == 1
    assert found["rules"][1]["test_accuracy"]["low"] is None
    assert {row["cka"] for row in found["layers"] if row["seed"] == 0} == {None}
    assert "another comparison" in fails(capsys, "compare", "--runs", chosen, "--out", str(out))
    twice = fails(capsys, "compare", "--runs", f"{chosen},{runs[0]}", "--out", str(tmp_path / "twice"))
    assert "sigprop with seed 0" in twice and not (tmp_path / "twice").exists()
    assert "nowhere" in fails(capsys, "compare", "--runs", "nowhere", "--out", str(tmp_path / "x"))


def test_runs_that_cannot_be_compared_say_what_differs() -> None:
    one = dict.fromkeys(SHARED, 1) | {"data": "digits"}
    with pytest.raises(UserError, match='a and c cannot be compared: net is 1 and "2"; epochs is 1 and 5'):
        check_comparable([one, one, {**one, "net": "2", "epochs": 5}], [Path("a"), Path("b"), Path("c")])


def test_epochs_to_an_accuracy_are_known_only_where_every_seed_gets_there() -> None:
    def curve(*accuracies: float | None) -> list[dict[str, Any]]:
        return [{"epoch": i, "train_seconds": 2.0 * i, "validation_accuracy": a} for i, a in enumerate(accuracies, 1)]

    curves = [curve(0.5, 0.91, 0.89), curve(0.7, 0.8, 0.95)]
    assert reached(curves, 0.9, "epoch") == 2.5 and reached(curves, 0.9, "train_seconds") == 5.0
    assert reached(curves, 0.95, "epoch") is None and reached([curve(None)], 0.9, "epoch") is None


def test_the_command_makes_the_same_comparison_again() -> None:
    config = TrainConfig(net="6-5", lr=0.01, data="my data.npz", seed=4)
    line = command_line(config, Path("out"), rules="sigprop,bptt", seeds=3, controls="none", paths=None)
    begin = "neurorules compare --rules sigprop,bptt --seeds 3 --controls none --data 'my data.npz' --net 6-5 --epochs "
    assert line.startswith(begin) and line.endswith(" --out out")
    words = shlex.split(line)[2:]
    said = {name[2:].replace("-", "_"): value for name, value in zip(words[::2], words[1::2], strict=True)}
    settings = {name: value for name, value in said.items() if name in SETTINGS}
    other = replace(config_from(settings), rule=config.rule, path=config.path, hardware=config.hardware)
    assert other == config
    # A later default changes nothing: all that is not said is what each rule brings, or is a list of the command.
    left_out = {name for name, value in config.as_dict().items() if name not in said and value is not None}
    assert left_out == {"rule", "path", "hardware"}
    call = python_line(config, Path("out"), ["data", "net"], rules="sigprop", seeds=3, folds=None)
    assert call.startswith("neurorules.compare('sigprop', 'out', seeds=3, data=(train, test), net=net, epochs=3")
    ast.parse(call)


def test_a_run_of_an_earlier_version_goes_on_with_the_defaults_of_newer_settings(tmp_path: Path) -> None:
    config = TrainConfig(epochs=2)
    open_run(tmp_path / "run", config, resume=False, force=False)
    stored = config.as_dict()
    del stored["targets"]
    (tmp_path / "run" / "config.json").write_text(json.dumps(stored))
    open_run(tmp_path / "run", config, resume=True, force=False)
    with pytest.raises(UserError, match='targets is "own", asked "shuffled"'):
        open_run(tmp_path / "run", TrainConfig(epochs=2, targets="shuffled"), resume=True, force=False)
    with pytest.raises(UserError, match="targets is null"):
        RunFolder.resume(tmp_path / "run", config.as_dict())


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux lets a process forget its peak")
def test_peak_memory_is_the_runs_own_and_not_what_was_before_or_aside() -> None:
    big = np.ones(30_000_000)  # 229 MB
    del big
    memory = PeakMemory()
    assert memory.of == "run"
    before = memory.mb()
    with memory.aside():
        big = np.ones(30_000_000)
        del big
    assert memory.mb() < before + 60
    big = np.ones(30_000_000)
    assert memory.mb() > before + 200
    del big


@pytest.mark.slow
def test_a_dask_cluster_makes_the_same_comparison(tmp_path: Path) -> None:
    distributed = pytest.importorskip("dask.distributed")
    configs = plan(TrainConfig(net="6", steps=3, epochs=1, limit=60, threads=1), "sigprop", 1, controls="shallow")
    here = compare(configs, tmp_path / "here", quiet=True)
    with distributed.LocalCluster(n_workers=1, threads_per_worker=1, dashboard_address=None) as cluster:
        there = compare(configs, tmp_path / "there", dask=cluster.scheduler_address, quiet=True)
    for name in ("alignment", "layers"):
        assert there[name] == here[name]
    assert [r["test_accuracy"] for r in there["runs"]] == [r["test_accuracy"] for r in here["runs"]]


def test_dask_that_is_not_installed_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "dask.distributed", None)
    with pytest.raises(UserError, match=r"--dask needs the package distributed.*neurorules\[sweep\]"):
        compare(plan(TrainConfig(limit=60), "shallow", 1), tmp_path / "c", dask="tcp://127.0.0.1:1", quiet=True)


def test_runs_lie_in_the_folder_that_is_current_when_a_comparison_begins(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Workers are kept between comparisons, and with them the folder in which they were started."""
    small = {"net": "6", "data": "digits", "limit": 200, "steps": 2, "epochs": 1, "quiet": True, "controls": "none"}
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
        monkeypatch.chdir(tmp_path / name)
        neurorules.compare("shallow", "side", seeds=2, jobs=2, **small)
        assert len(list((tmp_path / name / "side").rglob("weights.safetensors"))) == 2


def test_a_comparison_goes_on_with_another_number_of_jobs(tmp_path: Path) -> None:
    out = tmp_path / "c"
    words = ["compare", "--rules", "shallow", "--controls", "none", "--seeds", "2", *SMALL, "--out", str(out)]

    def made(*more: str) -> list[dict[str, Any]]:
        assert run([*words, *more]) == 0
        runs: list[dict[str, Any]] = json.loads((out / "compare.json").read_text())["runs"]
        return runs

    before = made()
    (gone,) = out.glob("*/seed1")
    shutil.rmtree(gone)
    beside = made("--jobs", "2", "--resume")
    assert [one["test_accuracy"] for one in beside] == [one["test_accuracy"] for one in before]
    assert beside[0] == before[0] and made("--resume") == beside
