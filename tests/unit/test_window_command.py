"""`neurorules window`: its table, its JSON, its picture, and what it refuses."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from neurorules.cli import run


def test_a_window_is_told_as_a_table_and_as_json(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    picture = tmp_path / "window.svg"
    assert run(["window", "stdp", "--dt", "-2:2:1", "--json", "--out", str(picture)]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert [point["dt_ms"] for point in answer["points"]] == [-2, -1, 0, 1, 2]
    assert all(point["rate_hz"] is None and point["clamp_mV"] is None for point in answer["points"])
    expected = [-0.012 * 0.8**2, -0.012 * 0.8, -0.002, 0.01 * 0.8, 0.01 * 0.8**2]
    assert [point["dw"] for point in answer["points"]] == pytest.approx(expected)
    assert "change of the weight" in picture.read_text(encoding="utf-8")
    assert run(["window", "triplet_stdp", "--dt", "-10,10", "--rates", "10,50", "--pairs", "5"]) == 0
    table = capsys.readouterr().out.splitlines()
    assert len(table) >= 5 and "rate, Hz" in table[0]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["stdp", "--dt", "5:1:1"], "--dt is '5:1:1'. Write first:last:step"),
        (["stdp", "--dt", "a,b"], "is not a list of numbers"),
        (["stdp", "--dt", "0:1e8:1"], "the maximum is 10000"),
        (["stdp", "--dt", "nan"], "is not a list of numbers"),
        (["stdp", "--rates", "0,10"], "--rates holds 0, and each must be above 0"),
        (["stdp", "--step-ms", "nan"], "--step-ms is nan"),
        (["stdp", "--out", "window.txt"], "unknown picture format 'txt'"),
        (["stpd"], "Did you mean 'stdp'?"),
    ],
)
def test_what_cannot_be_shown_is_refused_in_one_line(
    words: list[str], message: str, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(["window", *words]) == 2
    told = capsys.readouterr()
    assert message in told.err and told.err.count("\n") == 1 and not told.out and not list(tmp_path.iterdir())
