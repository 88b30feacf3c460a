"""A folder with results is never written into by a command of another kind, and work in it goes on as before."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

import neurorules
from neurorules.cli import run
from neurorules.compare.many_runs import prepare_folder
from neurorules.language.errors import UserError
from neurorules.papers.reproduce import RESULT_FILE
from neurorules.runs.standing import WORKS, check_folder

SMALL = ["--net", "5", "--steps", "2", "--epochs", "1", "--limit", "60", "--batch-size", "20", "--validation", "20"]
SWEEP = """
trials = 2
way = "random"
[train]
net = "5"
steps = 2
epochs = 1
limit = 60
validation = 20
[space]
lr = [0.1, 0.2]
"""


@pytest.fixture(scope="module")
def commands(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[str]]:
    """Each command that fills a folder, in a small form."""
    file = tmp_path_factory.mktemp("sweep") / "sweep.toml"
    file.write_text(SWEEP)
    return {
        "train": ["train", "--rule", "dfa", *SMALL],
        "compare": ["compare", "--rules", "dfa", "--controls", "none", *SMALL],
        "tune": ["tune", "--rules", "dfa", "--trials", "1", *SMALL],
        "sweep": ["sweep", str(file)],
        "reproduce": ["reproduce", "clopath", "--quick", "--only", "+10 ms, 50"],
        "benchmark": ["benchmark", "--suite", "static", "--tasks", "digits", "--rules", "dfa", "--quick"],
    }


@pytest.fixture(scope="module")
def finished(commands: dict[str, list[str]], tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Path]]:
    """A folder with the finished work of each command."""
    home = tmp_path_factory.mktemp("finished")
    for name, asked in commands.items():
        assert run([*asked, "--out", str(home / name)]) == 0
    yield {name: home / name for name in commands}


def content(folder: Path) -> dict[str, bytes]:
    return {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


PAIRS = [(first, then) for first in WORKS for then in WORKS if "bench" not in (first, then)]


@pytest.mark.parametrize(("first", "then"), PAIRS)
def test_finished_work_is_not_written_among(
    first: str, then: str, commands: dict[str, list[str]], finished: dict[str, Path], tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    out = Path(shutil.copytree(finished[first], tmp_path / "out"))
    before = content(out)
    capsys.readouterr()
    asked = [*commands[then], "--out", str(out)]
    for arguments in (asked,) if first == then or then == "reproduce" else (asked, [*asked, "--resume"]):
        assert run(arguments) == 2
        line = capsys.readouterr().err
        assert line.count("\n") == 1 and str(out) in line, line
        assert "--resume" in arguments or "--force" in line, line
        assert content(out) == before


@pytest.mark.parametrize("name", [name for name in WORKS if name not in ("bench", "reproduce")])
def test_finished_work_is_continued_and_replaced(
    name: str, commands: dict[str, list[str]], finished: dict[str, Path], tmp_path: Path
) -> None:
    out = Path(shutil.copytree(finished[name], tmp_path / "out"))
    assert run([*commands[name], "--out", str(out), "--resume"]) == 0
    assert run([*commands[name], "--out", str(out), "--force"]) == 0


def test_a_paper_is_replaced_by_another_with_force_alone(
    commands: dict[str, list[str]], finished: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = Path(shutil.copytree(finished["reproduce"], tmp_path / "out"))
    other = ["reproduce", "triplet", "--quick", "--only", "visual,+-10 ms, 0.1", "--out", str(out)]
    assert run(other) == 2
    assert "--force" in capsys.readouterr().err
    assert "Clopath" in json.loads((out / RESULT_FILE).read_text())["source"]
    assert run([*other, "--force"]) == 0
    assert "Pfister" in json.loads((out / RESULT_FILE).read_text())["source"]


@pytest.mark.parametrize("stopped", [True, False])
def test_a_training_of_one_paper_does_not_go_on_among_the_runs_of_another(
    stopped: bool, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    below = tmp_path / "some-table" / "some-row" / "seed0"
    below.mkdir(parents=True)
    (below / "config.json").write_text("{}")
    if not stopped:
        (tmp_path / RESULT_FILE).write_text(json.dumps({"title": "Some paper"}))
    for more, said in (([], "--force"), (["--resume"], "another paper" if stopped else "'Some paper'")):
        assert run(["reproduce", "diehl-cook", "--quick", "--out", str(tmp_path), *more]) == 2
        assert said in capsys.readouterr().err


def test_the_runs_of_a_stopped_comparison_are_seen(tmp_path: Path) -> None:
    below = tmp_path / "dfa" / "seed0"
    below.mkdir(parents=True)
    (below / "config.json").write_text("{}")
    for command in WORKS:
        with pytest.raises(UserError, match="another comparison" if command == "compare" else "a comparison, and"):
            check_folder(tmp_path, command)
    check_folder(tmp_path, "compare", resume=True)
    check_folder(tmp_path, "train", force=True)
    with pytest.raises(UserError, match="no run to continue"):
        check_folder(tmp_path, "train", resume=True)
    with pytest.raises(UserError, match="a comparison, and"):
        prepare_folder(tmp_path, [], False, False, "*/*/*", "benchmark")


def test_a_folder_above_finished_comparisons_is_free(finished: dict[str, Path], tmp_path: Path) -> None:
    shutil.copytree(finished["compare"], tmp_path / "compare")
    for command in WORKS:
        check_folder(tmp_path, command)
        check_folder(tmp_path / "missing", command)


def test_a_comparison_of_finished_runs_is_not_written_over(finished: dict[str, Path], tmp_path: Path) -> None:
    """It has no runs of its own, by which a later comparison would notice it."""
    runs = ",".join(str(file.parent) for file in finished["compare"].glob("*/seed*/result.json"))
    asked = ["compare", "--runs", runs, "--out"]
    out = tmp_path / "gathered"
    assert run([*asked, str(out)]) == 0
    before = content(out)
    settings = {"net": "5", "steps": 2, "epochs": 1, "limit": 60}
    for resume in (False, True):
        with pytest.raises(UserError, match="Give another --out|give another --out"):
            neurorules.compare("dfa", out, controls="none", resume=resume, **settings)
    assert run([*asked, str(finished["train"])]) == 2
    assert content(out) == before
