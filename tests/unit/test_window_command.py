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


def test_triplets_and_quadruplets_are_told_as_pairs_are(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    words = ["--rates", "1,20", "--pairs", "3"]
    for option, text, label, cells in [
        ("--triplets", "5:-5,-10:10", "lags, ms", ["5, -5", "-10, 10"]),
        ("--quadruplets", "-20:20:20", "between pairs, ms", []),
        ("--quadruplets", "-20,20", "between pairs, ms", ["-20", "20"]),
    ]:
        picture = tmp_path / f"{option}{len(cells)}.svg"
        code = run(["window", "triplet_stdp", option, text, *words, "--out", str(picture)])
        told = capsys.readouterr()
        if not cells:  # Between pairs of 0 ms there are two spikes of one neuron at once.
            assert code == 2 and "0 ms between them" in told.err and not picture.exists()
            continue
        assert code == 0 and told.out.startswith(label) and picture.stat().st_size > 1000
        assert [line.split("  ")[0] for line in told.out.splitlines()[1:5]] == cells * 2
        assert run(["window", "triplet_stdp", option, text, *words, "--json"]) == 0
        points = json.loads(capsys.readouterr().out)["points"]
        assert all({"dt_ms", "rate_hz", "clamp_mV", "dw"} < point.keys() for point in points)
        assert [point["rate_hz"] for point in points] == [1, 1, 20, 20] and len({p["dw"] for p in points}) == 4
    assert run(["window", "stdp", "--quadruplets", "30", "--dt", "10", "--json"]) == 0
    (point,) = json.loads(capsys.readouterr().out)["points"]
    assert (point["dt_ms"], point["between_ms"], point["second_dt_ms"]) == (10, 30, None)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["stdp", "--dt", "5:1:1"], "--dt is '5:1:1'. Write first:last:step"),
        (["stdp", "--dt", "a,b"], "is not a list of numbers"),
        (["stdp", "--dt", "0:1e8:1"], "more than 10000 numbers, the maximum"),
        (["stdp", "--dt", "nan"], "is not a list of numbers"),
        (["stdp", "--rates", "0,10"], "--rates holds 0, and each must be above 0"),
        (["stdp", "--step-ms", "nan"], "--step-ms is nan"),
        (["stdp", "--out", "window.txt"], "unknown picture format 'txt'"),
        (["stdp", "--dt", "0:1e9:1e-320"], "more than 10000 numbers, the maximum"),
        (["stdp", "--dt", "5", "--weight", "nan"], "the initial weight is nan"),
        (["stdp", "--triplets", "5"], "'5' is not a pair of lags. Write 5:-5,10:-10"),
        (["stdp", "--triplets", "5:x"], "'5:x' is not a pair of lags"),
        (["stdp", "--triplets", "5:-5", "--clamp", "-60"], "--triplets and --clamp are different experiments"),
        (["stdp", "--triplets", "5:-5", "--dt", "5"], "--dt and --triplets are different experiments"),
        (["clopath", "--clamp", "-60", "--dt", "5"], "--dt and --clamp are different experiments"),
        (["stdp", "--quadruplets", "30", "--dt", "5,6"], "both pairs of all --quadruplets have one lag"),
        (["stpd"], "Did you mean 'stdp'?"),
        (
            ["stdp", "--dt", "5", "--pairs", "60"],
            "--pairs is 60, and there is a single one without a rate. Add --rates",
        ),
        (["clopath", "--clamp", "-70", "--pairs", "60"], "--pairs is 60, and there is a single one without a rate"),
    ],
)
def test_what_cannot_be_shown_is_refused_in_one_line(
    words: list[str], message: str, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(["window", *words]) == 2
    told = capsys.readouterr()
    assert message in told.err and told.err.count("\n") == 1 and not told.out and not list(tmp_path.iterdir())
