"""A run does not go on with other data than those it began with, and options without a meaning are told by name."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from neurorules.cli import run

SMALL = ["--net", "12", "--threads", "1", "--device", "cpu"]
PATHS = {
    "torch": ["--rule", "dfa", "--path", "torch", *SMALL],
    "continuous": ["--rule", "pepita:form=contrastive", "--path", "continuous", *SMALL],
}


def written(path: Path, seed: int, samples: int = 60) -> Path:
    """A small data set in a file."""
    numbers = np.random.default_rng(seed)
    sizes = {"train": samples, "test": 10}
    arrays = {f"x_{part}": numbers.random((count, 3, 3), dtype=np.float32) for part, count in sizes.items()}
    np.savez(path, **arrays, **{f"y_{part}": np.arange(count) % 2 for part, count in sizes.items()})
    return path


def refused(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    """The one line of a command that is refused."""
    capsys.readouterr()
    assert run(list(words)) == 2
    printed = capsys.readouterr()
    assert printed.err.count("\n") == 1, printed.err
    return printed.err


@pytest.mark.parametrize("path", PATHS)
def test_a_run_goes_on_with_the_data_that_it_began_with_and_no_others(
    path: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = written(tmp_path / "own.npz", 0)
    words = ["train", *PATHS[path], "--data", str(data), "--out", str(tmp_path / "run")]
    assert run([*words, "--epochs", "1", "--json"]) == 0
    first = json.loads(capsys.readouterr().out)
    before = {file.name: file.read_bytes() for file in (tmp_path / "run").iterdir()}
    began = "are not those that the run began with: it learned from 60 samples of 1 x 3 x 3"
    for seed, samples in ((1, 60), (0, 58)):
        written(data, seed, samples)
        line = refused(capsys, *words, "--epochs", "1", "--resume", "--validation", "6")
        assert began in line and f"there are {samples} samples of 1 x 3 x 3" in line
        assert {file.name: file.read_bytes() for file in (tmp_path / "run").iterdir()} == before
    written(data, 0)
    assert run([*words, "--epochs", "1", "--resume", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["test_accuracy"] == first["test_accuracy"]


def test_a_comparison_keeps_no_run_of_other_data(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from neurorules.compare.many_runs import run_all
    from neurorules.language.config import TrainConfig
    from neurorules.runner.dispatch import settle

    data = written(tmp_path / "own.npz", 0)
    config = settle(TrainConfig(rule="dfa", data=str(data), net="12", epochs=1, device="cpu", threads=1))
    how = {"jobs": 1, "data_dir": None, "quiet": True, "command": "compare"}
    tasks = [(config, tmp_path / "side" / "dfa" / "seed0")]
    run_all(tasks, tmp_path / "side", **how)
    assert len(run_all(tasks, tmp_path / "side", **how)) == 1
    written(data, 1)
    row = ["--rules", "dfa", "--controls", "none", "--data", str(data), "--epochs", "1", *SMALL]
    line = refused(capsys, "compare", *row, "--out", str(tmp_path / "side"), "--resume")
    assert "are not those that the run in" in line and "content differs" in line


@pytest.mark.parametrize("command", ["compare", "tune"])
@pytest.mark.parametrize("jobs", ["0", "-1", str(10**9)])
def test_a_number_of_processes_that_cannot_be_is_refused(
    command: str, jobs: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    line = refused(capsys, command, "--rules", "dfa", "--data", "digits", "--jobs", jobs, "--out", str(out))
    assert f"--jobs is {jobs}. Give a whole number" in line and not out.exists()


@pytest.mark.parametrize(
    "words",
    [
        ["train", "--rule", "pepita", "--path", "continuous"],
        ["compare", "--rules", "pepita", "--paths", "torch,continuous"],
        ["tune", "--rules", "pepita", "--path", "continuous"],
        ["compare", "--rules", "pepita@steps=8", "--paths", "continuous"],
    ],
)
def test_steps_of_a_row_in_continuous_time_are_refused_by_name(
    words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    steps = [] if "@" in words[2] else ["--steps", "8"]
    line = refused(capsys, *words, *steps, "--data", "digits", "--net", "12", "--out", str(tmp_path / "out"))
    assert "--steps 8 has no meaning with --path continuous" in line and not (tmp_path / "out").exists()
