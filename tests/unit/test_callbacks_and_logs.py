"""Callbacks of `fit`, and logs of `fit`, `train` and the command line for other programs."""

from __future__ import annotations

import csv
import json
import re
import shlex
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

import neurorules
from neurorules import CsvLog, Learner, TensorBoardLog
from neurorules.cli import run
from neurorules.language.errors import UserError

SMALL = ["--rule", "dfa", "--data", "digits", "--net", "16", "--limit", "200", "--threads", "1", "--device", "cpu"]
BOARD = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")


def samples() -> tuple[torch.Tensor, torch.Tensor]:
    """Samples of two kinds."""
    labels = torch.arange(40) % 2
    return torch.rand(40, 6, generator=torch.Generator().manual_seed(0)) + labels[:, None], labels


def learner() -> Learner:
    return Learner("8", "dfa", input_shape=(6,), classes=2, steps=4, device="cpu", seed=1)


def scalars(folder: Path) -> dict[str, list[tuple[int, float]]]:
    """What TensorBoard reads from a folder: step and value by name."""
    reader = BOARD.EventAccumulator(str(folder), size_guidance={"scalars": 0}).Reload()
    return {name: [(one.step, one.value) for one in reader.Scalars(name)] for name in reader.Tags()["scalars"]}


def table(path: Path) -> list[dict[str, str]]:
    return [*csv.DictReader(path.read_text(encoding="utf-8").splitlines())]


def test_a_callback_that_returns_true_ends_the_learning_after_its_epoch() -> None:
    seen: list[list[int]] = [[], []]

    def stop(row: dict[str, Any]) -> bool:
        seen[0].append(row["epoch"])
        return row["epoch"] == 2

    rows = learner().fit(samples(), epochs=5, callbacks=[stop, lambda row: seen[1].append(row["epoch"])])
    assert [row["epoch"] for row in rows] == [1, 2] and seen == [[1, 2], [1, 2]]
    assert len(learner().fit(samples(), epochs=3, callbacks=lambda row: "no stop")) == 3
    for wrong in (3, [print, None], "print"):
        with pytest.raises(UserError, match="Give a function of an epoch's row"):
            learner().fit(samples(), callbacks=wrong)


def test_early_stopping_by_validation_is_four_lines() -> None:
    one, validation = learner(), samples()
    losses: list[float] = []

    def no_better(row: dict[str, Any]) -> bool:
        losses.append(one.evaluate(validation)["loss"])
        return len(losses) > 2 and min(losses[-2:]) >= min(losses[:-2])

    rows = one.fit(samples(), epochs=60, lr_schedule="constant", callbacks=no_better)
    assert 2 < len(rows) <= 60 and len(losses) == len(rows)
    assert len(rows) == 60 or min(losses[-2:]) >= min(losses[:-2])


def test_logs_are_callbacks_and_go_on_where_they_are(tmp_path: Path) -> None:
    one = learner()
    with CsvLog(tmp_path / "log.csv") as text, TensorBoardLog(tmp_path / "board") as board:
        rows = one.fit(samples(), epochs=2, callbacks=[text, board])
    assert [float(row["loss"]) for row in table(tmp_path / "log.csv")] == [row["loss"] for row in rows]
    assert scalars(tmp_path / "board")["loss"] == [(e, pytest.approx(rows[e - 1]["loss"])) for e in (1, 2)]
    more = one.fit(samples(), epochs=1, callbacks=CsvLog(tmp_path / "log.csv"))
    assert [row["epoch"] for row in table(tmp_path / "log.csv")] == ["1", "2", "1"]
    assert float(table(tmp_path / "log.csv")[2]["accuracy"]) == more[0]["accuracy"]
    for content in ("a letter, and no table", "name,age\nx,3\n"):
        (tmp_path / "other.csv").write_text(content)
        with pytest.raises(UserError, match="is not a CSV file of epochs"):
            CsvLog(tmp_path / "other.csv")
        assert (tmp_path / "other.csv").read_text() == content


def test_logs_of_a_run_hold_its_metrics_also_after_it_went_on(tmp_path: Path) -> None:
    out = tmp_path / "run"
    words = ["train", *SMALL, "--out", str(out), "--epochs", "2", "--lr-schedule", "constant"]
    assert run([*words, "--log", "csv,tensorboard", "--json"]) == 0
    metrics = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
    rows = table(out / "metrics.csv")
    assert [float(row["train_loss"]) for row in rows] == [row["train_loss"] for row in metrics]
    assert [float(row["mean_rates.hidden1"]) for row in rows] == [row["mean_rates"]["hidden1"] for row in metrics]
    curve = scalars(out / "tensorboard")
    assert [value for _, value in curve["validation_accuracy"]] == pytest.approx(
        [row["validation_accuracy"] for row in metrics]
    )
    assert "mean_rates/hidden1" in curve and [step for step, _ in curve["train_loss"]] == [1, 2]
    (out / "metrics.csv").write_text("epoch\n9\n")  # as if the process had stopped between two files
    assert run([*words, "--resume", "--json"]) == 0
    assert table(out / "metrics.csv") == rows
    assert [step for step, _ in scalars(out / "tensorboard")["train_loss"]] == [1, 2]
    assert run([*words, "--force", "--json"]) == 0
    assert not (out / "metrics.csv").exists() and not (out / "tensorboard").exists()


def test_learning_is_the_same_with_logs_and_without(tmp_path: Path) -> None:
    settings = {"data": "digits", "net": "16", "limit": 200, "threads": 1, "device": "cpu", "epochs": 1}
    plain = neurorules.train("dfa", **settings)
    logged = neurorules.train("dfa", **settings, out=tmp_path / "run", log="csv", quiet=False)
    for name in ("train_seconds", "samples_per_second", "peak_memory_mb"):
        plain[name] = logged[name] = 0
    assert plain == logged
    assert (tmp_path / "run" / "metrics.csv").exists()


def test_a_log_that_cannot_be_had_is_refused_before_anything_is_trained(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    out = str(tmp_path / "run")
    assert run(["train", *SMALL, "--out", out, "--log", "tensorbord"]) == 2
    assert "Did you mean 'tensorboard'" in capsys.readouterr().err
    with pytest.raises(UserError, match="Give out"):
        neurorules.train("dfa", data="digits", log="csv")
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    assert run(["train", *SMALL, "--out", out, "--log", "tensorboard"]) == 2
    assert "pip install 'neurorules[logging]'" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_the_page_on_loops_runs_as_it_stands(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    text = (repository / "docs" / "your-loop.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^```(bash|python)\n(.*?)^```", text, re.S | re.M)
    assert len(blocks) == 5
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    for language, code in blocks:
        if language == "python":
            exec(code, names)
        else:
            assert run(shlex.split(code)[1:]) == 0
    assert len(table(tmp_path / "log.csv")) == 3 and len(table(tmp_path / "logged" / "metrics.csv")) == 2
    assert 3 < len(names["rows"]) <= 50 and "<Learner dfa: input 1 x 8 x 8" in capsys.readouterr().out
