"""`explain` on a run folder: the numbers add up, the picture is there, mistakes are told."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from neurorules.cli import run


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small run; in a process of its own, where no call is checked."""
    out = tmp_path_factory.mktemp("runs") / "small"
    asked = ["--rule", "sigprop", "--net", "6-5", "--neuron", "lif:v_threshold=0.5", "--epochs", "1", "--limit", "200"]
    command = [sys.executable, "-m", "neurorules", "train", *asked, "--out", str(out)]
    subprocess.run(command, check=True, capture_output=True, timeout=120)
    return out


def test_explain_adds_up_and_draws(trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "why.svg"
    assert run(["explain", str(trained), "--synapse", "hidden2:3:4", "--sample", "2", "--out", str(out), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert [part["phase"] for part in told["parts"]] == ["input", "target"]
    assert told["dw_sum"] == pytest.approx(-told["gradient"], rel=1e-4, abs=1e-9)
    assert (told["sample"], told["v_threshold"], told["parameter"], told["index"]) == (2, 0.5, "hidden2.ff.w", [3, 4])
    assert "hidden2:3:4" in out.read_text() and told["out"] == str(out)


def test_explain_speaks_to_people(trained: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["explain", str(trained), "--synapse", "hidden1:3:0.4.4"]) == 0
    told = capsys.readouterr().out
    assert "hidden1:3:36, rule sigprop: w = " in told and "so far" in told
    assert told.count("phase input: dw = -through_norm(m_post * psi(v_post)) * (S_pre - mean_pre)") == 1


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        (["--synapse", "hiden1:0:0"], "unknown layer 'hiden1'. Did you mean 'hidden1'?"),
        (["--synapse", "hidden1:6:0"], "layer 'hidden1' has no neuron 6. Its neurons are 0..5"),
        (["--synapse", "hidden1:0:0", "--sample", "360"], "--sample is 360. Give one of the test samples, 0..359"),
        (["--synapse", "hidden1:0:0", "--out", "why.gif"], "unknown picture format 'gif'"),
        ([], "--synapse"),
    ],
)
def test_mistakes_are_told_in_one_line(
    trained: Path, asked: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["explain", str(trained), *asked]) == 2
    error = capsys.readouterr().err
    assert told in error and error.count("\n") == 1
