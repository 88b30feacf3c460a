"""`tune`: what it reads, what it tries, what it chooses, and how it goes on."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from neurorules.cli import run
from neurorules.compare.comparison import plan
from neurorules.compare.rows import parse_row
from neurorules.compare.tuning import trials as attempts
from neurorules.compare.tuning import tune
from neurorules.compare.tuning.proposals import best_method, proposals_of
from neurorules.compare.tuning.space import SPACE, Choice, Range, parse_space
from neurorules.compare.tuning.stored import write_search
from neurorules.contracts.data_set import DataSet
from neurorules.datasets import open_dataset
from neurorules.encoders import open_encoder
from neurorules.language.config import TrainConfig
from neurorules.runner.dispatch import validation_curves
from neurorules.torch_path.training import batches, trainer
from neurorules.torch_path.training.checks import Diverged

CONFIG = TrainConfig(net="5", steps=2, epochs=1, limit=80, batch_size=20, validation=40, threads=1)
SMALL = ["--net", "5", "--steps", "2", "--epochs", "1", "--limit", "80", "--batch-size", "20", "--validation", "40"]


class Forbidden(np.ndarray):
    """An array that fails where it is looked at."""

    def __getitem__(self, key: Any) -> Any:
        raise AssertionError("a test sample was read")

    def __len__(self) -> int:
        raise AssertionError("the test samples were counted")

    def __array_ufunc__(self, *arguments: Any, **options: Any) -> Any:
        raise AssertionError("test samples were computed with")

    __array_function__ = __array_ufunc__


class Watchful:
    """An encoder that fails where it is handed samples that nobody may look at."""

    def __init__(self, encoder: Any) -> None:
        self.encoder = encoder

    def fit(self, samples: Any) -> Watchful:
        assert not isinstance(samples, Forbidden), "an encoder was fitted to test samples"
        return Watchful(self.encoder.fit(samples))

    def prepare(self, samples: Any, *arguments: Any) -> Any:
        assert not isinstance(samples, Forbidden), "a test sample was prepared"
        return self.encoder.prepare(samples, *arguments)

    def encode(self, *arguments: Any) -> Any:
        return self.encoder.encode(*arguments)


def without_test_samples(text: str, data_dir: Path | None = None) -> DataSet:
    found = open_dataset(text, data_dir)
    return replace(found, test=found.test.view(Forbidden), test_labels=found.test_labels.view(Forbidden))


@pytest.mark.parametrize("path", ["torch", pytest.param("brian2", marks=pytest.mark.slow)])
def test_no_test_sample_is_read(path: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batches, "open_dataset", without_test_samples)
    monkeypatch.setattr(batches, "open_encoder", lambda text, kind: Watchful(open_encoder(text, kind)))
    config = replace(CONFIG, path=path, steps=None if path == "brian2" else 2, limit=30, validation=10, batch_size=10)
    if path == "brian2":
        pytest.importorskip("brian2")
        config = replace(config, neuron="rate:period_ms=4", batch_size=1)
    found = tune(config, "sigprop", tmp_path, trials=1 if path == "brian2" else 3, quiet=True)
    assert 0 <= found["chosen"][0]["validation_accuracy"] <= 1
    with pytest.raises(AssertionError, match="test sample"):  # as training to the end does
        trainer.train(replace(CONFIG, path="torch"), quiet=True)


def test_an_accuracy_is_that_of_the_last_epoch_on_held_out_samples() -> None:
    config = replace(CONFIG, net="12", steps=4, limit=240, validation=120, epochs=2, seed=3)
    expected = [trainer.train(replace(config, seed=seed), quiet=True)["validation_accuracy"] for seed in (3, 4)]
    assert expected[0] != expected[1]
    curves = validation_curves(config, 2, None)
    assert [curve[-1] for curve in curves] == expected and [len(curve) for curve in curves] == [2, 2]


@pytest.fixture(scope="module")
def searched(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A whole search of three rules."""
    out = tmp_path_factory.mktemp("tune") / "whole"
    tune(CONFIG, "sigprop,bptt@batch_size=40,shallow", out, trials=3, seeds=2, quiet=True)
    return out


def read(out: Path) -> dict[str, Any]:
    return dict(json.loads((out / "tune.json").read_text()))


def test_every_rule_has_the_same_budget_and_begins_with_its_own_settings(searched: Path) -> None:
    found = read(searched)
    trials: Mapping[str, Any] = found["trials"]
    assert list(trials) == [
        "sigprop",
        "bptt@batch_size=40",
        "shallow@readout_lr=0.003",
        "shallow@batch_size=40@readout_lr=0.003",
    ]
    for name, rows in trials.items():
        assert len(rows) == 3 and [len(row["accuracies"]) for row in rows] == [2] * 3 and rows[0]["settings"] == {}
        searching = {"readout_lr"} if name.startswith("shallow") else {"lr", "readout_lr"}
        assert all(set(row["settings"]) == searching for row in rows[1:])
        assert all(1e-4 <= value <= 1e-1 for row in rows[1:] for value in row["settings"].values())
        assert len({json.dumps(row["settings"]) for row in rows}) == 3
        for row in rows:
            assert row["validation_accuracy"] == pytest.approx(np.mean(row["accuracies"]))
    own = [trials[row["row"]][0]["validation_accuracy"] for row in found["chosen"]]
    assert [row["own_settings_accuracy"] for row in found["chosen"]] == own


def test_what_is_chosen_is_the_best_on_validation_and_compare_runs_it(searched: Path) -> None:
    found = read(searched)
    for row in found["chosen"]:
        trials = found["trials"][row["row"]]
        best = max(trial["validation_accuracy"] for trial in trials)
        winner = next(trial for trial in trials if trial["validation_accuracy"] == best)
        assert row["validation_accuracy"] == best >= row["own_settings_accuracy"]
        again = parse_row(row["rule"], CONFIG)
        assert [curve[-1] for curve in validation_curves(again, 2, None)] == winner["accuracies"] == row["accuracies"]
    planned = plan(CONFIG, found["rules"], 1, controls="shallow")
    assert [one.row for one in planned] == found["rules"].split(",")
    assert f"--rules {found['rules']}" in found["command"] and "--net 5 --steps 2" in found["command"]


@pytest.mark.parametrize("method", ["optuna", "random"])
def test_a_search_that_was_stopped_goes_on_as_if_it_never_was(
    method: str, searched: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rules, whole = "sigprop,bptt@batch_size=40,shallow", read(searched)
    if method == "random":
        monkeypatch.setitem(sys.modules, "optuna", None)
        whole = tune(CONFIG, rules, tmp_path / "random", trials=3, seeds=2, quiet=True)
    assert whole["method"] == method == best_method()
    whole = json.loads(json.dumps(whole))
    part = {key: whole[key] for key in ("method", "asked", "rows")}
    part |= {"finished": False, "trials": {name: rows[:2] for name, rows in whole["trials"].items()}}
    write_search(tmp_path / "part", part)
    tune(
        CONFIG,
        rules,
        tmp_path / "part",
        trials=3,
        seeds=2,
        resume=True,
        quiet=True,
        jobs=1 if method == "random" else 2,
    )
    assert read(tmp_path / "part") == whole


def test_a_search_does_not_go_on_with_other_options_or_over_another(
    searched: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    before = (searched / "tune.json").read_bytes()
    asked = ["tune", *SMALL, "--threads", "1", "--trials", "3", "--seeds", "2", "--out", str(searched)]
    rules = ["--rules", "sigprop,bptt@batch_size=40,shallow"]
    for arguments, words in (
        ([*asked, *rules], "--resume"),
        ([*asked, *rules, "--resume", "--seeds", "1", "--lr", "0.1"], "seeds is 2, asked 1; lr is null, asked 0.1"),
        ([*asked, "--resume", "--rules", "dfa"], "rules is "),
    ):
        assert run(arguments) == 2
        line = capsys.readouterr().err
        assert words in line and line.count("\n") == 1
    monkeypatch.setitem(sys.modules, "optuna", None)
    assert run([*asked, *rules, "--resume"]) == 2
    assert "neurorules[sweep]" in capsys.readouterr().err
    assert (searched / "tune.json").read_bytes() == before


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--trials", "0"], ["--trials is 0"]),
        (["--seeds", "0"], ["--seeds is 0"]),
        (["--jobs", "0"], ["--jobs is 0"]),
        (["--space", "lr"], ["'lr'", "lr=1e-4..1e-1:log"]),
        (["--space", ","], ["searches nothing"]),
        (["--space", "lrr=1..2"], ["lrr", "'lr'"]),
        (["--space", "lr=1e-3..1e-4"], ["must rise"]),
        (["--space", "lr=0..1:log"], ["must rise", "above 0"]),
        (["--space", "lr=nan..1"], ["must rise"]),
        (["--space", "lr=a..b"], ["is not a range"]),
        (["--space", "lr=1..2:lg"], ["lg", "log"]),
        (["--space", "norm=1..2"], ["norm is not a number"]),
        (["--space", "lr=1..2,lr=1..3"], ["is given twice"]),
        (["--space", "net=5|6"], ["setting in --space 'net'"]),
        (["--space", "lr=a|b"], ["'a', which is not a number"]),
        (["--space", "norm=strm|none", "--trials", "9"], ["strm", "streaming"]),
        (["--rules", "sigprop@lr=1@readout_lr=1"], ["nothing is left to search"]),
        (["--rules", "sigprop", "--validation", "0"], ["held out"]),
        (["--rules", "sigprp"], ["sigprp", "sigprop"]),
    ],
)
def test_a_mistake_gives_one_line_and_leaves_nothing(
    arguments: list[str], words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["tune", "--out", str(tmp_path / "t"), *SMALL, *arguments]) == 2
    line = capsys.readouterr().err
    assert line.count("\n") == 1 and all(word in line for word in words), line
    assert not (tmp_path / "t").exists()


def test_a_range_is_tried_in_numbers_that_can_be_written_down() -> None:
    rate = Range(1e-4, 1e-1, log=True)
    assert [rate.at(share) for share in (0.0, 1 / 3, 0.5, 1.0)] == [1e-4, 1e-3, 0.00316, 1e-1]
    assert [Range(0.0, 1.0).at(share) for share in (0.0, 0.25, 1.0)] == [0.0, 0.25, 1.0]
    assert [Range(16.0, 64.0, whole=True).at(share) for share in (0.0, 0.5, 1.0)] == [16, 40, 64]
    assert [Choice(("a", "b", "c")).at(share) for share in (0.0, 0.4, 1.0)] == ["a", "b", "c"]
    assert [rate.is_edge(value) for value in (1e-4, 1.05e-4, 1e-3, 0.095, 0.1)] == [True, True, False, True, True]
    found = parse_space(f"{SPACE},batch_size=16..64,norm=streaming|none,weight_decay=0|1e-4")
    assert found["lr"] == rate and found["batch_size"] == Range(16.0, 64.0, whole=True)
    assert found["norm"] == Choice(("streaming", "none")) and found["weight_decay"] == Choice((0.0, 1e-4))


@pytest.mark.parametrize("method", ["optuna", "random"])
def test_proposals_fill_the_space_and_depend_on_the_seed_alone(method: Any) -> None:
    space = parse_space("lr=1e-4..1e-1:log,batch_size=16..64,norm=streaming|none")

    def proposed(seed: int, trials: int = 24) -> list[dict[str, Any]]:
        source = proposals_of(method, space, seed)
        source.tell({"lr": 0.003, "batch_size": 128, "norm": "streaming"}, 0.5)  # outside: it is not learned from
        found = []
        for _ in range(trials):
            found.append(source.propose())
            source.tell(found[-1], -abs(math.log10(found[-1]["lr"]) + 2))
        return found

    one = proposed(1)
    assert one == proposed(1) != proposed(2)
    assert {row["norm"] for row in one} == {"streaming", "none"} and {type(row["batch_size"]) for row in one} == {int}
    decades = {math.floor(math.log10(row["lr"])) for row in one}
    assert decades >= {-4, -3, -2}
    if method == "optuna":  # it comes closer to the best rate, 0.01, as it goes on
        distance = [abs(math.log10(row["lr"]) + 2) for row in one]
        assert np.mean(distance[-8:]) < np.mean(distance[:8])


def test_numbers_that_are_no_longer_finite_count_as_nothing_learned(monkeypatch: pytest.MonkeyPatch) -> None:
    def diverges(*arguments: Any) -> float:
        raise Diverged("a number is not finite")

    monkeypatch.setattr(trainer, "validation_curve", diverges)
    assert validation_curves(CONFIG, 2, None) == [[0.0], [0.0]]


def test_the_table_names_the_comparison_and_what_lies_at_the_edge(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["tune", *SMALL, "--rules", "sigprop", "--trials", "2", "--space", "lr=0.5..0.500001"]
    assert run([*arguments, "--out", str(tmp_path)]) == 0
    shown, found = capsys.readouterr().out, read(tmp_path)
    assert found["command"] in shown and str(tmp_path / "tune.json") in shown
    tried = "lr" in next(t for t in found["trials"]["sigprop"] if t["accuracies"] == found["chosen"][0]["accuracies"])
    assert ("* at the edge" in shown) == bool(found["chosen"][0]["at_the_edge"]) == (tried and "@lr" in found["rules"])
    assert run([*arguments, "--out", str(tmp_path / "json"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["rules"] == found["rules"]


def test_a_stop_says_how_to_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def stops(*arguments: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(attempts, "validation_curves", stops)
    assert run(["tune", *SMALL, "--rules", "sigprop", "--out", str(tmp_path)]) == 130
    assert f"neurorules tune --out {tmp_path} --resume" in capsys.readouterr().err
