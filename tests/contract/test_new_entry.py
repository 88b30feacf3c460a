"""The files that `neurorules new KIND NAME` writes pass their contract suites as they stand, and train."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from neurorules.cli import run
from neurorules.conformance import SUITES
from neurorules.language import own_files

WITH = {
    "rule": {"rule": "my_rule"},
    "signal": {"rule": "dfa", "signal": "my_signal:scale=2"},
    "neuron": {"rule": "sigprop", "neuron": "my_neuron:beta=0.8"},
    "device": {"rule": "sigprop", "hardware": "my_device:cv=0.2"},
}


ALONE = ("rule", "signal", "neuron")
"""Kinds whose new file stands alone unless a folder is named."""
SMALL = ["--net", "24", "--epochs", "6", "--batch-size", "32", "--limit", "700", "--threads", "1"]


@pytest.fixture(autouse=True)
def nothing_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """Every test stands in a folder of its own, without files of a user's own."""
    monkeypatch.delenv(own_files.VARIABLE, raising=False)
    monkeypatch.chdir(tmp_path)
    own_files.take_all({})
    yield
    own_files.take_all({})


@pytest.fixture
def written(request: pytest.FixtureRequest, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    """A new file of a kind: alone in the current folder, or in a package of its own. `capsys` has what it said."""
    kind = str(request.param)
    folder = tmp_path / f"own_{kind}s"
    assert run(["new", kind, f"my_{kind}", *([] if kind in ALONE else ["--folder", str(folder)])]) == 0
    return Path(f"my_{kind}.py") if kind in ALONE else folder / f"my_{kind}.py"


EVERY = pytest.mark.parametrize(
    ("written", "kind"),
    [pytest.param(kind, kind, marks=[pytest.mark.slow] if kind in ("rule", "signal") else []) for kind in WITH],
    indirect=["written"],
)


@EVERY
def test_a_new_file_passes_its_suite_as_it_stands(
    written: Path, kind: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(written.parent.parent))
    check = next(line for line in capsys.readouterr().out.splitlines() if "neurorules check" in line)
    code = run([*shlex.split(check.partition("neurorules ")[2]), "--json"])
    answer = json.loads(capsys.readouterr().out)
    assert code == 0 and answer["failed"] == 0 and answer["kind"] == kind, answer
    assert answer["passed"] >= 8


@pytest.mark.parametrize(("written", "kind"), [(kind, kind) for kind in WITH], indirect=["written"])
def test_a_net_learns_with_it_from_the_command_line(
    written: Path, kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    said = capsys.readouterr().out.splitlines()
    options = [word for name, value in WITH[kind].items() for word in (f"--{name}", value)]
    if kind in ALONE:
        monkeypatch.setenv(own_files.VARIABLE, str(tmp_path))
        [train] = [line for line in said if line.startswith("neurorules train")]
        assert run([*shlex.split(train)[1:], *SMALL, "--out", str(tmp_path / "printed"), "--json"]) == 0
        assert json.loads(capsys.readouterr().out)["test_accuracy"] > 0.5
    else:
        monkeypatch.syspath_prepend(str(written.parent.parent))
        monkeypatch.setitem(SUITES[kind].registry.modules, f"my_{kind}", f"own_{kind}s.my_{kind}")
        sys.modules.pop(f"own_{kind}s", None)
    assert run(["train", *options, *SMALL, "--out", str(tmp_path / "run"), "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert result["test_accuracy"] > 0.5
    assert run(["list", "hardware" if kind == "device" else f"{kind}s"]) == 0
    assert f"my_{kind}" in capsys.readouterr().out


@pytest.mark.parametrize("kind", WITH)
def test_a_file_comes_with_the_lines_that_list_it_and_the_command_that_checks_it(
    kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "entries"
    assert run(["new", kind, "another", "--folder", str(folder)]) == 0
    said = capsys.readouterr().out
    assert f"neurorules check {folder / 'another.py'}" in said
    assert f'[project.entry-points."neurorules.{kind}s"]' in said and 'another = "entries"' in said


@pytest.mark.parametrize("kind", WITH)
@pytest.mark.parametrize(
    ("name", "words"),
    [("My-Name", "cannot be a file's"), ("class", "cannot be a file's"), ("TAKEN", "exists already"),
     ("twice", "exists already")],
)  # fmt: skip
def test_a_name_that_cannot_be_is_refused(
    kind: str, name: str, words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    if name == "TAKEN":
        name = SUITES[kind].registry.names()[0]
    if name == "twice":
        assert run(["new", kind, name, "--folder", str(tmp_path)]) == 0
    assert run(["new", kind, name, "--folder", str(tmp_path)]) == 2
    assert words in capsys.readouterr().err


@pytest.mark.parametrize("kind", ALONE)
def test_a_new_file_lies_in_the_folder_that_the_environment_names(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "of my own").mkdir()
    monkeypatch.setenv(own_files.VARIABLE, str(tmp_path / "of my own"))
    assert run(["new", kind, "mine", "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["listed"] and answer["file"] == str(tmp_path / "of my own" / "mine.py")
    assert f"'{answer['file']}'" in answer["commands"][0] and len(answer["commands"]) == 2
    assert "mine" in SUITES[kind].registry.names()
    assert run(["new", kind, "mine"]) == 2
    assert "exists already" in capsys.readouterr().err
