"""The file of --config: its errors name it, and what it says twice is refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from neurorules.cli import run

SMALL = {"rule": "dfa", "net": "8", "steps": 2, "epochs": 1, "limit": 40, "batch_size": 20}


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def refused(capsys: pytest.CaptureFixture[str], name: str, *options: str) -> str:
    assert run(["train", "--config", name, *options, "--out", "run"]) == 2
    said = capsys.readouterr()
    assert said.out == "" and said.err.count("\n") == 1 and not Path("run").exists()
    return said.err


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('{"rul": "dfa"}', "unknown setting in --config own.json 'rul'. Did you mean 'rule'?"),
        ('{"steps": "many"}', "--config own.json, 'steps'"),
        ('{"lr": -1}', "--config own.json: "),
        ('{"dropout": 2}', "own.json"),
        ('{"schedule": "never"}', "--config own.json: schedule 'never' is unknown"),
        ('{"rule": "./missing.py"}', "--config own.json: there is no Python file ./missing.py"),
        ('{"rule": 3}', "--config own.json: rule is a int"),
        ('{"rule": "dfa", "rule": "bptt"}', "--config own.json sets 'rule' twice. Keep one of them"),
        ('{"batch-size": 3, "batch_size": 4}', "--config own.json sets 'batch_size' twice. Keep one of them"),
        ("[" * 100_000, "--config own.json cannot be read (it is nested too deeply)"),
        ("{,}", "--config own.json cannot be read"),
    ],
)
def test_an_error_names_the_file(text: str, words: str, capsys: pytest.CaptureFixture[str]) -> None:
    Path("own.json").write_text(text)
    assert words in refused(capsys, "own.json")


def test_a_mistake_on_the_line_is_not_laid_to_the_file(capsys: pytest.CaptureFixture[str]) -> None:
    Path("own.json").write_text(json.dumps(SMALL))
    said = refused(capsys, "own.json", "--schedule", "never")
    assert "schedule 'never'" in said and "own.json" not in said


@pytest.mark.parametrize("name", ["own.json", "own.toml"])
def test_a_mark_of_byte_order_is_read_over(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    lines = "\n".join(f"{key} = {json.dumps(value)}" for key, value in SMALL.items())
    Path(name).write_text(json.dumps(SMALL) if name.endswith("json") else lines, encoding="utf-8-sig")
    assert run(["train", "--config", name, "--json", "--out", "run"]) == 0
    assert json.loads(capsys.readouterr().out)["rule"] == "dfa"


def test_the_line_overrides_what_the_file_says_wrongly() -> None:
    """Only what holds is checked: the file's batch of 1 does not hold, and so does not stand against its targets."""
    Path("own.json").write_text(json.dumps(SMALL | {"targets": "shuffled", "batch-size": 1, "batch_size": 1}))
    text = Path("own.json").read_text().replace(', "batch_size": 1', "", 1)
    Path("own.json").write_text(text)
    assert run(["train", "--config", "own.json", "--batch-size", "20", "--json", "--out", "run"]) == 0
