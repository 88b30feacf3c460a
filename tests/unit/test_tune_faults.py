"""`tune`: what stands in its folder is not trusted, and what is searched and chosen is what was asked for."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pytest

from neurorules.cli import run
from neurorules.compare.rows import parse_row
from neurorules.compare.tuning import trials as attempts
from neurorules.compare.tuning import tune
from neurorules.disk.lock import owned_folder
from neurorules.language.config import TrainConfig
from neurorules.language.errors import UserError

CONFIG = TrainConfig(net="5", steps=2, epochs=1, limit=60, batch_size=20, validation=20, threads=1)
SMALL = ["--net", "5", "--steps", "2", "--limit", "60", "--validation", "20", "--threads", "1"]
BATCHES = ["--batch-size", "128"]
"""An option that is equal to the default."""
ASKED = [*SMALL, "--epochs", "1", "--batch-size", "20", "--rules", "sigprop"]


@pytest.fixture(scope="module")
def searched(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished search of two trials."""
    out = tmp_path_factory.mktemp("tune") / "two"
    tune(CONFIG, "sigprop", out, trials=2, quiet=True)
    return out


def read(out: Path) -> dict[str, Any]:
    return dict(json.loads((out / "tune.json").read_text()))


def refused(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    """The one line with which a command is refused."""
    assert run(["tune", *arguments]) == 2
    line = capsys.readouterr().err
    assert line.count("\n") == 1
    return line


def without(name: str) -> Callable[[dict[str, Any]], Any]:
    return lambda stored: {key: value for key, value in stored.items() if key != name}


@pytest.mark.parametrize(
    "edit",
    [
        lambda stored: 5, lambda stored: [], lambda stored: {}, without("asked"), without("method"), without("trials"),
        without("sha256"), without("rows"),
        lambda stored: {**stored, "asked": []}, lambda stored: {**stored, "trials": []},
        lambda stored: {**stored, "method": "grid"}, lambda stored: {**stored, "trials": {"sigprop": [3]}},
        lambda stored: {**stored, "trials": {"bptt": stored["trials"]["sigprop"]}},
        lambda stored: with_accuracies(stored, [0.99]), lambda stored: with_accuracies(stored, []),
        lambda stored: with_accuracies(stored, [7]), lambda stored: with_accuracies(stored, [float("nan")]),
        lambda stored: with_accuracies(stored, ["a"]), lambda stored: with_accuracies(stored, [0.1, 0.9]),
        lambda stored: with_accuracies(stored, None),
    ],
)  # fmt: skip
def test_a_search_that_was_changed_does_not_go_on(
    edit: Callable[[dict[str, Any]], Any], searched: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = Path(shutil.copytree(searched, tmp_path / "t"))
    (out / "tune.json").write_text(json.dumps(edit(read(out))))
    before = (out / "tune.json").read_bytes()
    line = refused([*ASKED, "--trials", "3", "--resume", "--out", str(out)], capsys)
    assert "tune.json" in line and "--force" in line
    assert (out / "tune.json").read_bytes() == before


def with_accuracies(stored: dict[str, Any], accuracies: Any) -> dict[str, Any]:
    first, *others = stored["trials"]["sigprop"]
    return {**stored, "trials": {"sigprop": [{**first, "accuracies": accuracies}, *others]}}


def test_a_budget_that_would_lose_trials_is_refused(searched: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = (searched / "tune.json").read_bytes()
    line = refused([*ASKED, "--trials", "1", "--resume", "--out", str(searched)], capsys)
    assert "has 2 trials of a rule, asked 1" in line
    assert (searched / "tune.json").read_bytes() == before


def test_other_samples_of_the_same_name_are_noticed(tmp_path: Path) -> None:
    def write(seed: int) -> None:
        random = np.random.default_rng(seed)
        x, y = random.random((40, 6), dtype=np.float32), np.arange(40) % 2
        np.savez(tmp_path / "d.npz", x_train=x, y_train=y, x_test=x, y_test=y)

    config = replace(CONFIG, data=str(tmp_path / "d.npz"), limit=None)
    write(0)
    tune(config, "sigprop", tmp_path / "t", trials=1, quiet=True)
    write(1)
    with pytest.raises(UserError, match="data_checksum is .* asked"):
        tune(config, "sigprop", tmp_path / "t", trials=2, resume=True, quiet=True)


def test_only_one_search_writes_into_a_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with owned_folder(tmp_path / "t"):
        assert "is being written by process" in refused([*ASKED, "--trials", "1", "--out", str(tmp_path / "t")], capsys)
    (tmp_path / "file").write_text("mine")
    assert "is a file" in refused([*ASKED, "--trials", "1", "--out", str(tmp_path / "file")], capsys)
    (tmp_path / "d" / "tune.json").mkdir(parents=True)
    for more in ([], ["--resume"], ["--force"]):
        assert "is a folder" in refused([*ASKED, "--trials", "1", *more, "--out", str(tmp_path / "d")], capsys)


def test_what_a_killed_search_left_half_written_is_removed(tmp_path: Path) -> None:
    (tmp_path / ".tune.abc.tmp.json").write_text("{")
    tune(CONFIG, "sigprop", tmp_path, trials=1, quiet=True)
    assert [path.name for path in tmp_path.iterdir()] == ["tune.json"]


def test_no_more_processes_than_rules_are_started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked, parallel = [], joblib.Parallel

    def watched(n_jobs: int, **more: Any) -> joblib.Parallel:
        asked.append(n_jobs)
        return parallel(n_jobs=1, **more)  # were it more, all of them would be started

    monkeypatch.setattr(joblib, "Parallel", watched)
    tune(CONFIG, "sigprop", tmp_path, trials=1, jobs=1000, quiet=True)
    assert asked == [1]


def test_a_row_that_was_chosen_with_shuffled_targets_keeps_them(tmp_path: Path) -> None:
    found = tune(CONFIG, "sigprop,sigprop@targets=shuffled", tmp_path / "t", trials=1, quiet=True)
    own, shuffled = (parse_row(row["rule"], CONFIG) for row in found["chosen"])
    assert (own.targets, shuffled.targets) == ("own", "shuffled")


def test_a_control_is_searched_over_the_settings_that_its_rule_is_searched_over(tmp_path: Path) -> None:
    space = "norm=streaming|none,readout_optimizer=adam|sgd,lr=1e-3..1e-2,readout_lr=1e-3..1e-2"
    found = tune(CONFIG, "sigprop,shallow", tmp_path / "t", trials=2, space=space, quiet=True)
    own, control = (set(rows[1]["settings"]) for rows in found["trials"].values())
    assert own - control == {"lr"} and control == {"norm", "readout_optimizer", "readout_lr"}
    given = tune(CONFIG, "sigprop@norm=none,shallow", tmp_path / "g", trials=2, space=space, quiet=True)
    assert all("norm" not in rows[1]["settings"] for rows in given["trials"].values())


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--space", "lr=1e-4..1e-1:log"], ["'shallow'", "its hidden layers do not learn"]),
        (
            ["--rules", "dfa", "--space", "lr=0.01..0.1,batch_size=16..32", *BATCHES],
            ["--batch-size", "--space", "Keep one"],
        ),
        (["--rules", "dfa", "--space", "batch_size=16..32", *BATCHES], ["--batch-size", "--space", "Keep one"]),
        (["--rules", "dfa", "--lr", "0.1", "--readout-lr", "0.1"], ["'dfa'", "lr, readout_lr"]),
        (["--rules", "dfa,bptt", "--space", "signal=prototypes|dfa"], ["prototypes", "phase"]),
        (["--rules", "sigprop", "--space", "dw=-m_post*S_pre|-m_post*nonsense_pre"], ["nonsense_pre"]),
        (["--rules", "sigprop", "--path", "continuous", "--space", "batch_size=1..30"], ["batch-size", "no meaning"]),
        (["--rules", "sigprop", "--path", "continuous", "--space", "signal_lr=0.1..1"], ["signal-lr", "no meaning"]),
        (["--rules", "sigprop", "--seeds", "20000"], ["--seeds", "10000"]),
        (["--rules", "sigprop", "--trials", "99999999999"], ["--trials"]),
        (["--rules", "sigprop", "--data", "nothing_of_the_kind"], ["nothing_of_the_kind"]),
    ],
)
def test_what_cannot_be_searched_is_refused_before_anything_is_trained(
    arguments: list[str], words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    def trains(*arguments: Any) -> None:
        raise AssertionError("something was trained")

    monkeypatch.setattr(attempts, "validation_curves", trains)
    own = [word for word in SMALL if "continuous" not in arguments or word not in ("--steps", "2")]
    line = refused([*own, *arguments, "--out", str(tmp_path / "t")], capsys)
    assert all(word in line for word in words), line
    assert not (tmp_path / "t").exists()


def test_a_stop_says_what_stands_in_the_folder(
    searched: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def stops(*arguments: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(attempts, "validation_curves", stops)
    assert run(["tune", *ASKED, "--out", str(tmp_path / "new")]) == 130
    assert "No trial was finished" in capsys.readouterr().err and not (tmp_path / "new").exists()
    out = Path(shutil.copytree(searched, tmp_path / "old"))
    assert run(["tune", *ASKED, "--force", "--lr", "0.1", "--out", str(out)]) == 130
    line = capsys.readouterr().err
    assert "as it was" in line and "--resume" not in line and read(out) == read(searched)


def test_the_comparison_reads_the_samples_that_were_searched_on(tmp_path: Path) -> None:
    found = tune(CONFIG, "sigprop", tmp_path / "t", trials=1, data_dir=tmp_path, quiet=True)
    assert f"--data-dir {tmp_path}" in found["command"]


def test_settings_that_cannot_be_had_together_are_refused_trials_and_the_search_goes_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = [*SMALL, "--epochs", "1", "--rules", "sigprop,dfa", "--trials", "6", "--out", str(tmp_path / "t")]
    assert run(["tune", *asked, "--space", "batch_size=1|20,targets=own|shuffled"]) == 0
    shown, found = capsys.readouterr().out, read(tmp_path / "t")
    refusals = 0
    for row in found["chosen"]:
        trials = found["trials"][row["row"]]
        wrong = [trial for trial in trials if trial["settings"] == {"batch_size": 1, "targets": "shuffled"}]
        refusals += len(wrong)
        assert row["refused"] == len(wrong) and [trial for trial in trials if "reason" in trial] == wrong
        assert all("--targets shuffled" in trial["reason"] and trial["curves"] == [] for trial in wrong)
        assert (f"{row['row']}: {len(wrong)} of 6 trials were refused" in shown) == bool(wrong)
    assert refusals
    before = (tmp_path / "t" / "tune.json").read_bytes()
    assert run(["tune", *asked, "--space", "batch_size=1|20,targets=own|shuffled", "--resume"]) == 0
    assert (tmp_path / "t" / "tune.json").read_bytes() == before


def test_where_every_trial_is_refused_one_line_says_why_and_nothing_is_left(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    large = ["--net", "9000", "--steps", "1000000", "--limit", "60", "--validation", "20", "--rules", "sigprop,shallow"]
    line = refused([*large, "--trials", "2", "--out", str(tmp_path / "t")], capsys)
    assert "every trial was refused" in line and "memory" in line
    assert not (tmp_path / "t").exists()
