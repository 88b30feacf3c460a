"""Code of the user's that ends the program, sys.exit(7): one line that says where, exit code 2, and nothing is left."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from neurorules import UserError, train
from neurorules.cli import run
from neurorules.language.own_files import take_all

DATA = """
import sys
import numpy as np

x, y = np.random.default_rng(0).random((60, 16), dtype=np.float32), np.arange(60) % 3

class Rows:
    def __len__(self):
        return 60
    def __getitem__(self, place):
        return (x[place], y[place]) if place < {last} else sys.exit(7)

def items():
    yield from ((x[i], int(y[i])) for i in range(3))
    sys.exit(7)

def make():
    sys.exit(7)

def rows():
    return Rows(), (x, y)

def generated():
    return items(), (x, y)
"""
NET = """
import sys
import torch

class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = torch.nn.Linear(64, 10)
    def forward(self, x):
        sys.exit(7)

def make():
    return Net()
"""
LEAVING = """
def leave(*args, **options):
    import sys
    sys.exit(7)

Leaver.step = Leaver.many_steps = leave
"""
SMALL = ["--net", "8", "--epochs", "1", "--steps", "3", "--limit", "40", "--batch-size", "20"]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Path:
    """A current folder with modules of the user's, none of which is kept between tests."""
    monkeypatch.chdir(tmp_path)
    for name in ("mydata", "mynet", "leaving"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    take_all({})
    (tmp_path / "mydata.py").write_text(DATA.format(last=5))
    (tmp_path / "mynet.py").write_text(NET)
    (tmp_path / "leaving.py").write_text("import sys\nsys.exit(7)\n")
    (tmp_path / "early.py").write_text("import sys\n\ndef ENTRY():\n    sys.exit(7)\n\nSIGNAL = ENTRY\n")
    assert run(["new", "neuron", "leaver", "--json"]) == 0
    capsys.readouterr()
    with (tmp_path / "leaver.py").open("a") as file:
        file.write(LEAVING)
    return tmp_path


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--data", "mydata:make"], ["data 'mydata:make': make() failed (SystemExit: 7)"]),
        (["--data", "leaving:make"], ["leaving does not import (SystemExit: 7)"]),
        (["--data", "mydata:rows"], ["sample 5 cannot be read (SystemExit: 7)"]),
        (["--data", "mydata:generated"], ["cannot be read (SystemExit: 7)"]),
        (
            ["--data", "digits", "--net", "mynet:make"],
            ["forward of Net ends the program in line 10 of mynet.py", "SystemExit: 7"],
        ),
        (["--data", "digits", "--rule", "./early.py"], ["early.py, line 4 raises SystemExit: 7"]),
        (["--data", "digits", "--neuron", "./leaver.py"], ["leaver.py, line ", "ends the program (SystemExit: 7)"]),
    ],
)
def test_it_is_said_in_one_line_where_the_program_was_left(
    arguments: list[str], words: list[str], folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["train", *SMALL, *arguments, "--out", "run"]) == 2
    said = capsys.readouterr()
    assert said.out == "" and said.err.count("\n") == 1 and said.err.startswith("neurorules: ")
    assert all(word in said.err for word in words), said.err
    assert not (folder / "run" / "result.json").exists()


def test_a_check_counts_it_as_a_failure(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["check", "./leaver.py"]) == 1
    said = capsys.readouterr()
    assert "raised SystemExit: 7" in said.out and said.err.count("Traceback") == 0


def test_python_gets_the_error_of_a_user(folder: Path) -> None:
    with pytest.raises(UserError, match=r"make\(\) failed \(SystemExit: 7\)"):
        train(data="mydata:make", rule="dfa", net="8", epochs=1)
