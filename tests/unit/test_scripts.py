"""Scripts of Brian2 that stand alone: they run without neurorules and learn the weights of our own runs."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file
from small_circuits import keep_small

from neurorules.brian2_continuous import script as circuit_script
from neurorules.cli import run

pytest.importorskip("brian2")

CLOSE = 1e-12
ALONE = "import sys, runpy; sys.modules['neurorules'] = None; runpy.run_path(sys.argv[1], run_name='__main__')"
"""A program that runs a script where no import of neurorules can succeed."""


def learned_by(script: Path) -> dict[str, np.ndarray]:
    """Run a script on its own, and read what it saved."""
    done = subprocess.run(
        [sys.executable, "-I", "-c", ALONE, str(script)], capture_output=True, text=True, check=False, cwd="/"
    )
    assert done.returncode == 0, done.stderr[-3000:]
    with np.load(script.with_name(f"{script.stem}_learned.npz")) as stored:
        return dict(stored)


def assert_same(there: dict[str, np.ndarray], ours: dict[str, np.ndarray]) -> None:
    assert there.keys() == ours.keys()
    for name, value in ours.items():
        assert there[name].shape == value.shape, name
        np.testing.assert_allclose(there[name], value, rtol=0, atol=CLOSE, err_msg=name)


def in_rounds_of(presentations: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run circuits without a compiler, so many presentations at a time, with few test samples."""
    keep_small(monkeypatch, 5, presentations, circuit_script)


def train(folder: Path, rule: str, *more: str) -> Path:
    given = ["--rule", rule, "--data", "digits", "--path", "continuous", "--limit", "10", "--validation", "0"]
    assert run(["train", *given, *more, "--out", str(folder)]) == 0
    return folder


@pytest.mark.parametrize(
    ("rule", "rounds", "more"),
    [
        ("sigprop", 500, ("--net", "4-3", "--epochs", "1")),
        ("sigprop", 14, ("--net", "r4", "--epochs", "2", "--neuron", "lif:refractory_ms=2:tau_syn_ms=10")),
        ("stdp", 6, ("--net", "4", "--epochs", "2")),
        ("drtp", 500, ("--net", "4", "--epochs", "2", "--neuron", "alif")),
        ("bsp", 500, ("--net", "2", "--epochs", "1", "--limit", "2")),
    ],
)
def test_a_script_learns_the_weights_of_a_run_in_continuous_time(
    rule: str, rounds: int, more: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    in_rounds_of(rounds, monkeypatch)
    folder, script = train(tmp_path / "run", rule, *more), tmp_path / "model.py"
    assert run(["simulate", str(folder), "--script", str(script)]) == 0
    ours = load_file(folder / "weights.safetensors")
    learned = learned_by(script)
    assert_same(learned, ours)
    with np.load(script.with_suffix(".npz")) as stored:
        assert np.abs(learned["hidden1.ff.w"].T.reshape(-1) - stored["hidden1_ff_w"]).max() > 1e-6


@pytest.mark.parametrize(
    ("rule", "neuron", "author", "limit"),
    [
        ("drtp", None, "Frenkel", 10),
        ("sigprop", None, "Kohan", 6),
        ("sigprop", "lif", "Kohan", 4),
        ("stdp", None, "Song", 4),
        ("clopath", None, "Clopath", 4),
        ("bsp", None, "", 2),
    ],
)
def test_the_script_of_a_rule_learns_what_training_the_example_learns(
    rule: str, neuron: str | None, author: str, limit: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    from neurorules.runner import scripts

    small = {"limit": limit, "net": "2" if rule == "bsp" else "4", "validation": 0}
    monkeypatch.setattr(scripts, "EXAMPLE", {**scripts.EXAMPLE, **small})
    in_rounds_of(500, monkeypatch)
    script, of = tmp_path / "model.py", [] if neuron is None else ["--neuron", neuron]
    assert run(["cite", rule, *of, "--script", str(script), "--json"]) == 0
    written = json.loads(capsys.readouterr().out)
    assert written == {"rule": rule, "files": [str(script), str(script.with_suffix(".npz"))]}
    more = ["--net", str(small["net"]), "--epochs", "1", "--limit", str(limit), *of]
    ours = load_file(train(tmp_path / "run", rule, *more) / "weights.safetensors")
    learned = learned_by(script)
    assert_same(learned, ours)
    assert author in script.read_text()
    with np.load(script.with_suffix(".npz")) as stored:
        assert np.abs(learned["hidden1.ff.w"].T.reshape(-1) - stored["hidden1_ff_w"]).max() > 0


def test_what_stands_there_is_replaced_only_by_force(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    script, beside = tmp_path / "model.py", tmp_path / "model.npz"
    for file in (script, beside):
        file.write_text("mine")
        assert run(["cite", "drtp", "--script", str(script)]) == 2
        error = capsys.readouterr().err
        assert "--force" in error and error.count("\n") == 1
        assert file.read_text() == "mine" and [one.name for one in tmp_path.iterdir()] == [file.name]
        file.unlink()
    script.write_text("mine")
    assert run(["cite", "drtp", "--script", str(script), "--force"]) == 0
    assert script.read_text() != "mine" and beside.exists()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["drtp", "--script", "model.txt"], "end in .py"),
        (["drtp", "--script", "nowhere/model.py"], "no folder"),
        (["espp", "--script", "model.py"], "simulate RUN --learn"),
        (["sigprop:loss=l2:search=greedy", "--script", "model.py"], "search"),
        (["drtp", "--script", "model.py", "--neuron", "liff"], "lif"),
        (["drtp", "--script", "model.py", "--bibtex"], "--bibtex"),
        (["drtp", "--neuron", "lif"], "--script"),
        (["drtp", "--force"], "--script"),
    ],
)
def test_what_cannot_be_written_is_refused_in_one_line(
    arguments: list[str], says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(["cite", *arguments]) == 2
    error = capsys.readouterr().err
    assert says in error and error.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_the_script_of_a_run_in_continuous_time_takes_no_option_of_steps(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    in_rounds_of(6, monkeypatch)
    folder, script = train(tmp_path / "run", "stdp", "--net", "2", "--epochs", "1", "--limit", "2"), tmp_path / "m.py"
    capsys.readouterr()
    for option in (["--samples", "3"], ["--samples", "10"], ["--samples", "0"], ["--learn", "2"], ["--dt-ms", "2"],
                   ["--scale", "threshold_mV=15"], ["--as", "ordinary"]):  # fmt: skip
        assert run(["simulate", str(folder), "--script", str(script), *option]) == 2
        error = capsys.readouterr().err
        assert error.startswith(f"neurorules: {option[0]} ") and "Leave it out" in error and error.count("\n") == 1
        assert not script.exists()


def test_a_round_that_ends_no_sample_is_learned_through(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every class is presented before a sample: more of them than a round holds end in a round without one."""
    in_rounds_of(6, monkeypatch)
    result = json.loads(
        (train(tmp_path / "run", "sigprop", "--net", "2", "--epochs", "1", "--limit", "2") / "result.json").read_text()
    )
    assert result["epochs"] == 1 and 0 <= result["test_accuracy"] <= 1
