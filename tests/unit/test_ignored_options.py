"""An option that would change nothing is refused by its name, and nothing is written."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import neurorules
from neurorules.cli import run
from neurorules.language.errors import UserError
from neurorules.papers.reproduce import check_options
from neurorules.papers.tables import PAPERS

SMALL = ["--net", "5", "--steps", "2", "--epochs", "1", "--limit", "60", "--batch-size", "20", "--validation", "20"]


def refused(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    """The one line with which a command is refused."""
    assert run(arguments) == 2
    said = capsys.readouterr()
    assert said.err.count("\n") == 1 and said.out == ""
    return said.err


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run."""
    out = tmp_path_factory.mktemp("finished") / "run"
    assert run(["train", *SMALL, "--rule", "dfa", "--out", str(out), "--json"]) == 0
    return out


@pytest.mark.parametrize(
    "options",
    [
        ["--data", "digits"], ["--seeds", "1"], ["--controls", "shallow"], ["--net", "99"], ["--jobs", "2"],
        ["--rules", "dfa"], ["--folds", "2"], ["--hardware", "none"], ["--paths", "torch"], ["--resume"],
        ["--data-dir", "elsewhere"], ["--config", "mine.toml"],
    ],
)  # fmt: skip
def test_options_beside_runs_that_change_nothing_are_refused(
    options: list[str], finished: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "mine.toml").write_text("steps = 3")
    options = [str(tmp_path / word) if word == "mine.toml" else word for word in options]
    out = tmp_path / "both"
    line = refused(["compare", "--runs", str(finished), "--out", str(out), *options], capsys)
    assert options[0] in line and "--runs" in line
    assert not out.exists()


def test_finished_runs_are_compared_again_with_force(
    finished: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = ["compare", "--runs", str(finished), "--out", str(tmp_path / "both"), "--json"]
    assert run(asked) == 0
    capsys.readouterr()
    assert "--force" in refused(asked, capsys)
    assert run([*asked, "--force"]) == 0
    assert len(json.loads(capsys.readouterr().out)["runs"]) == 1


UNREAD = (["--epochs", "3"], ["--limit", "7"], ["--seeds", "4"], ["--jobs", "2"], ["--data-dir", "x"], ["--resume"])


@pytest.mark.parametrize("paper", [name for name in PAPERS.names() if PAPERS.factory(name)(quick=True).protocols])
@pytest.mark.parametrize("options", UNREAD)
def test_a_paper_of_one_synapse_refuses_the_options_of_a_training(
    paper: str, options: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    line = refused(["reproduce", paper, "--quick", "--out", str(out), *options], capsys)
    assert options[0] in line
    assert not out.exists()


@pytest.mark.parametrize("paper", [name for name in PAPERS.names() if not PAPERS.factory(name)(quick=True).protocols])
def test_a_paper_that_trains_takes_them_all(paper: str) -> None:
    names = {option.removeprefix("--").replace("-", "_"): option for option, *_ in UNREAD}
    check_options(PAPERS.factory(paper)(quick=True), None, names)


@pytest.mark.parametrize(
    "arguments",
    [
        ["train", *SMALL, "--out", ""], ["train", *SMALL, "--out="], ["train", *SMALL, "--data-dir", ""],
        ["train", "--config", ""], ["compare", *SMALL, "--out", ""], ["tune", *SMALL, "--out", ""],
        ["sweep", ""], ["reproduce", "clopath", "--quick", "--out", ""], ["report", ""], ["paper", ""],
        ["benchmark", "--quick", "--out", ""], ["bench", "--out", ""], ["record", ""], ["plot", "raster", ""],
        ["deploy", ""], ["explain", ""], ["compare", "--runs", "", "--out", "both"],
    ],
)  # fmt: skip
def test_an_empty_path_is_refused(
    arguments: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    line = refused(arguments, capsys)
    assert "empty" in line
    assert list(tmp_path.iterdir()) == []


def test_an_empty_path_is_refused_in_python(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    settings = {"net": "5", "steps": 2, "epochs": 1, "limit": 60}
    for call in (
        lambda: neurorules.train("dfa", out="", **settings),
        lambda: neurorules.compare("dfa", "", force=True, **settings),
        lambda: neurorules.train("dfa", data_dir="", **settings),
        lambda: neurorules.load(""),
        lambda: neurorules.brian2_network(""),
    ):
        with pytest.raises(UserError, match="is empty"):
            call()
    assert list(tmp_path.iterdir()) == []


def test_a_setting_of_a_file_is_not_searched(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "mine.json").write_text('{"lr": 0.003}')
    asked = ["tune", "--config", str(tmp_path / "mine.json"), "--space", "lr=0.01..0.1", "--out", str(tmp_path / "out")]
    assert "--lr" in refused(asked, capsys)
