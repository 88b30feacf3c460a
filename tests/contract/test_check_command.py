"""`neurorules check`: what it prints, its exit codes, and what it refuses."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from neurorules.cli import run
from neurorules.conformance import SUITES
from neurorules.conformance.lookup import looked_up

RIGHT = """
\"\"\"A connection of another package.\"\"\"
from dataclasses import dataclass
from neurorules.connections.dense import Dense

@dataclass(frozen=True)
class Mine(Dense):
    sign: float = 1.0

    def transpose(self, w, post, pre):
        return self.sign * super().transpose(w, post, pre)

ENTRY = Mine
"""


def module(folder: Path, name: str, text: str) -> Path:
    """A Python file in a package."""
    folder.mkdir(exist_ok=True)
    (folder / "__init__.py").touch()
    path = folder / f"{name}.py"
    path.write_text(text, encoding="utf-8")
    return path


def test_an_entry_that_keeps_its_contract_ends_with_0_and_a_line_for_each_check(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run(["check", "dense"]) == 0
    lines = capsys.readouterr().out.splitlines()
    suite = SUITES["connection"]
    assert lines[0] == "connection 'dense'" and len(lines) == len(suite.checks) + 2
    assert lines[1] == "  passed    it is a connection"
    assert lines[-1] == f"{len(suite.checks) - 1} passed, 0 failed, 1 left out"


def test_a_device_has_a_command_of_its_own(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["check-device", "dynapse", "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert (answer["kind"], answer["entry"], answer["failed"]) == ("device", "dynapse", 0)
    assert run(["check-device", "dense"]) == 2
    assert "dense" in capsys.readouterr().err


def test_a_wrong_one_ends_with_1_and_says_what_to_do(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = module(tmp_path / "wrongly", "flipped", RIGHT)
    assert run(["check", f"{path}:sign=-1"]) == 1
    [line] = [line for line in capsys.readouterr().out.splitlines() if line.startswith("  failed")][:1]
    assert "Transpose is the adjoint" in line or "transpose is the adjoint" in line
    assert "Check signs" in line and line.endswith(".")
    assert run(["check", str(path), "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert (answer["kind"], answer["entry"], answer["failed"]) == ("connection", "flipped", 0)
    assert {one["status"] for one in answer["checks"]} == {"passed", "left out"}


def test_a_module_path_is_found_from_the_folder_where_one_stands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    module(tmp_path / "elsewhere", "straight", RIGHT)
    monkeypatch.chdir(tmp_path)
    path = list(sys.path)
    assert run(["check", "elsewhere.straight", "--kind", "connection"]) == 0
    assert "connection 'straight'" in capsys.readouterr().out
    assert sys.path == path and "straight" not in SUITES["connection"].registry.modules


def test_a_file_of_this_tree_is_the_entry_that_is_listed(repository: Path) -> None:
    with looked_up(str(repository / "neurorules/neurons/if_.py")) as entry:
        assert str(entry) == "neuron 'if'"
    with looked_up("signal:dfa") as signal, looked_up("dfa", "rule") as rule:
        assert (str(signal), str(rule)) == ("signal 'dfa'", "rule 'dfa'")
    assert "if" in SUITES["neuron"].registry.modules


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["dfa"], "Write rule:dfa or signal:dfa"),
        (["lyf"], "Did you mean 'lif'"),
        (["lif", "--kind", "neurone"], "Did you mean 'neuron'"),
        (["lif", "--kind", "rule"], "unknown rule 'lif'"),
        (["lif:betta=1"], "Did you mean 'beta'"),
        (["nowhere.at_all"], "does not import"),
        (["./nowhere.py"], "there is no Python file"),
        (["neurorules.language.errors"], "has no ENTRY"),
        (["dataset:npz"], "no check of dataset 'npz' could run"),
        ([], "Missing argument"),
    ],
)
def test_a_mistake_of_the_user_ends_with_2_and_one_line(
    arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["check", *arguments]) == 2
    printed = capsys.readouterr()
    assert words in printed.err and printed.err.count("\n") == 1


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("broken", "import nothing_of_this_name", "does not import (ModuleNotFoundError"),
        ("crashes", "ENTRY = 1 / 0", "does not import (ZeroDivisionError"),
        ("bare", "x = 1", "has no ENTRY"),
        ("strange", "class Strange:\n    pass\n\nENTRY = Strange", "fits no kind. Say what it is: --kind rule|signal"),
        ("dense", RIGHT, "'dense' is the connection of neurorules.connections.dense"),
    ],
)
def test_a_module_that_is_no_entry_is_refused(
    name: str, text: str, words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = module(tmp_path / f"pack_{name}", name, text)
    assert run(["check", str(path)]) == 2
    assert words in capsys.readouterr().err


def test_a_file_that_stands_alone_may_have_the_name_of_another_module(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "json.py"
    path.write_text(RIGHT, encoding="utf-8")
    assert run(["check", str(path)]) == 0
    assert capsys.readouterr().out.startswith("connection 'json'")
    assert "json" not in SUITES["connection"].registry.modules and sys.modules["json"] is json
