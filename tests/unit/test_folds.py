"""Cross-validation: every recording is tested once, and in no run both learned from and tested."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from neurorules.cli import app
from neurorules.compare.folds import overlap_of, without_fold
from neurorules.compare.measures.lists import Finished
from neurorules.compare.measures.statistics import interval, paired_difference
from neurorules.compare.measures.summary import rule_rows
from neurorules.datasets import open_dataset
from neurorules.datasets._folds import deal
from neurorules.language.errors import UserError
from neurorules.runs.plain_json import read_json

BESIDE = Path(__file__).resolve().parents[3] / "shared" / "data"
PARTS = {"Train": 24, "Test": 6}


@pytest.fixture(scope="module")
def recordings(tmp_path_factory) -> Path:
    """30 recordings of one class a digit's number modulo 3; the first event's time names the recording."""
    folder = tmp_path_factory.mktemp("nmnist")
    for part, count in PARTS.items():
        for number in range(1, count + 1):
            path = folder / part / str(number % 3) / f"{number:05d}.bin"
            path.parent.mkdir(parents=True, exist_ok=True)
            t_us = identity(part, number)
            path.write_bytes(bytes([3 * (number % 3), 5, (t_us >> 16) & 0x7F, (t_us >> 8) & 0xFF, t_us & 0xFF]))
    return folder


def identity(part: str, number: int) -> int:
    return number + (1000 if part == "Test" else 0)


def names_in(samples) -> list[int]:
    return [int(samples.recording(place).t_us[0]) for place in range(len(samples))]


def fold_of(folder: Path, fold: int, folds: int):
    return open_dataset(f"nmnist:path={folder}:folds={folds}:fold={fold}")


def test_every_recording_is_tested_in_exactly_one_fold_and_learned_from_in_all_others(recordings):
    everything = sorted(identity(part, number) for part, count in PARTS.items() for number in range(1, count + 1))
    parts = [fold_of(recordings, fold, 3) for fold in range(3)]
    assert sorted(name for part in parts for name in names_in(part.test)) == everything
    for part in parts:
        assert sorted(names_in(part.train) + names_in(part.test)) == everything
        assert len(part.train) == len(part.train_labels) and len(part.test) == len(part.test_labels)


def test_a_recording_keeps_its_label_and_its_events_in_whatever_part_it_stands(recordings):
    part = fold_of(recordings, 1, 3)
    for samples, labels in ((part.train, part.train_labels), (part.test, part.test_labels)):
        assert [name % 1000 % 3 for name in names_in(samples)] == list(labels)
        assert [int(samples.recording(place).x[0]) // 3 for place in range(len(samples))] == list(labels)


def test_recordings_of_one_index_never_stand_in_two_folds(recordings):
    for fold in range(3):
        part = fold_of(recordings, fold, 3)
        assert not {name % 1000 for name in names_in(part.train)} & {name % 1000 for name in names_in(part.test)}


def test_folds_hold_every_class_alike_and_are_of_one_size(recordings):
    parts = [fold_of(recordings, fold, 3) for fold in range(3)]
    counts = np.array([np.bincount(part.test_labels, minlength=3) for part in parts])
    assert list(counts.sum(axis=1)) == [10, 10, 10]
    assert (counts.max(axis=0) - counts.min(axis=0)).max() <= 2  # what one index with two recordings decides


def test_a_fold_is_the_same_whenever_it_is_read_and_all_folds_name_one_content(recordings):
    first, again, other = (fold_of(recordings, fold, 3) for fold in (0, 0, 2))
    assert names_in(first.test) == names_in(again.test) != names_in(other.test)
    assert first.train.checksum == again.train.checksum != other.train.checksum
    assert first.checksum == other.checksum != open_dataset(str(recordings)).checksum


@given(st.lists(st.tuples(st.integers(0, 40), st.integers(0, 4)), min_size=30, max_size=90), st.integers(2, 6))
@settings(max_examples=50, deadline=None)
def test_whatever_is_dealt_numbers_stay_together_and_counts_differ_by_one(samples, folds):
    numbers, labels = (np.array(column) for column in zip(*samples, strict=True))
    if len(set(numbers)) < folds:
        return
    dealt = deal(numbers, labels, folds)
    owners = {number: set(dealt[numbers == number]) for number in numbers}
    assert all(len(folds_of_number) == 1 for folds_of_number in owners.values())
    per_fold = np.bincount([next(iter(owner)) for owner in owners.values()], minlength=folds)
    assert per_fold.max() - per_fold.min() <= 1


def test_classes_of_numbers_that_stand_alone_are_dealt_evenly():
    labels = np.random.default_rng(0).integers(0, 10, 997)
    dealt = deal(np.arange(997), labels, 5)
    counts = np.array([np.bincount(labels[dealt == fold], minlength=10) for fold in range(5)])
    assert (counts.max(axis=0) - counts.min(axis=0)).max() <= 1


def test_the_folds_of_the_real_recordings_are_220_each_and_of_even_classes():
    folder = Path(os.environ.get("NEURORULES_DATA") or BESIDE)
    if not (folder / "nmnist").is_dir():
        pytest.skip("needs the real data sets in NEURORULES_DATA")
    parts = [open_dataset(f"nmnist:folds=5:fold={fold}", folder) for fold in range(5)]
    assert [len(part.test) for part in parts] == [220] * 5
    counts = np.array([np.bincount(part.test_labels, minlength=10) for part in parts])
    assert list(counts.sum(axis=0)) == [105, 130, 107, 104, 119, 99, 104, 132, 89, 111]
    assert (counts.max(axis=0) - counts.min(axis=0)).max() <= 6


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ("folds=3", "folds without fold"),
        ("fold=0", "fold without folds"),
        ("folds=1:fold=0", "folds is 1. Give"),
        ("folds=3:fold=3", "Give 0 to 2"),
        ("folds=3:fold=-1", "fold is -1. Give"),
        ("folds=99:fold=0", "more than the 24 recordings"),
        ("folds=many:fold=0", "not a whole number"),
    ],
)
def test_folds_that_cannot_be_are_refused_in_one_line(recordings, options, words):
    with pytest.raises(UserError, match=words):
        open_dataset(f"nmnist:path={recordings}:{options}")


# --- a comparison in folds

QUICK = ["--net", "5", "--steps", "2", "--epochs", "1", "--batch-size", "8", "--rules", "shallow", "--controls", "none"]


@pytest.fixture(scope="module")
def in_folds(recordings, tmp_path_factory) -> dict:
    """What a comparison in three folds leaves behind."""
    out = tmp_path_factory.mktemp("comparison") / "folds"
    asked = ["compare", *QUICK, "--data", f"nmnist:path={recordings}", "--folds", "3", "--out", str(out), "--json"]
    done = CliRunner().invoke(app, asked)
    assert done.exit_code == 0, done.output
    return {**read_json(out / "compare.json"), "out": out}


def test_a_comparison_in_folds_tests_every_fold_once(in_folds, recordings):
    runs = [(run["seed"], run["data"].rpartition(":")[2], run["test_samples"]) for run in in_folds["runs"]]
    assert runs == [(k, f"fold={k}", 10) for k in range(3)]
    assert in_folds["settings"]["data"] == f"nmnist:path={recordings}:folds=3" and "data" not in in_folds["differing"]
    assert "--folds 3" in in_folds["command"]
    assert in_folds["title"].count("fold") == 1


def test_finished_runs_of_different_folds_stand_in_one_table(in_folds, tmp_path):
    folders = ",".join(str(folder.parent) for folder in sorted(in_folds["out"].glob("*/seed*/result.json")))
    done = CliRunner().invoke(app, ["compare", "--runs", folders, "--out", str(tmp_path / "both"), "--json"])
    assert done.exit_code == 0, done.output
    again = read_json(tmp_path / "both" / "compare.json")
    assert again["settings"]["data"] == in_folds["settings"]["data"]
    assert again["rules"][0]["test_accuracy"] == in_folds["rules"][0]["test_accuracy"]


def test_rules_are_paired_fold_by_fold_and_intervals_count_in_the_shared_samples(in_folds):
    runs = in_folds["runs"]
    row, overlap = in_folds["rules"][0], 10 / 18
    assert row["test_accuracy"]["low"] == pytest.approx(
        interval([r["test_accuracy"] for r in runs], overlap=overlap).low
    )
    better = [
        {**r, "rule": "dfa", "plain_rule": "dfa", "test_accuracy": r["test_accuracy"] + 0.1 * k}
        for k, r in enumerate(runs)
    ]
    exact = [{**r, "rule": "bptt", "plain_rule": "bptt"} for r in runs]
    found = rule_rows([Finished(run, Path(), []) for run in (*better, *exact)], [], lambda rule: {})
    expected = interval([0.0, 0.1, 0.2], overlap=overlap)
    assert found[0]["difference"]["low"] == pytest.approx(expected.low)
    assert found[0]["difference"]["high"] == pytest.approx(expected.high)


def test_intervals_over_folds_count_in_that_folds_share_their_training_samples():
    values = [0.8, 0.9, 0.7, 0.85, 0.75]
    alone, folds = interval(values), interval(values, overlap=0.25)
    assert folds.mean == alone.mean and folds.spread == alone.spread
    assert (folds.high - folds.mean) / (alone.high - alone.mean) == pytest.approx(((1 / 5 + 1 / 4) / (1 / 5)) ** 0.5)
    there = dict(enumerate([0.7, 0.85, 0.72, 0.8, 0.7]))
    plain, counted = (paired_difference(dict(enumerate(values)), there, overlap) for overlap in (0.0, 0.25))
    assert counted["low"] < plain["low"] < plain["high"] < counted["high"]


def test_only_a_run_of_a_fold_has_an_overlap():
    run = {"test_samples": 220, "train_samples": 792}
    assert overlap_of({**run, "data": "nmnist:folds=5:fold=2"}) == pytest.approx(220 / 792)
    assert overlap_of({**run, "data": "nmnist"}) == 0.0
    assert without_fold("nmnist:folds=5:fold=12:path=a") == "nmnist:folds=5:path=a"


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        (["--data", "digits", "--folds", "3"], "'digits' does not. These do: nmnist"),
        (["--data", "nmnist", "--folds", "1"], "--folds is 1. Give"),
        (["--data", "nmnist", "--folds", "3", "--seeds", "2"], "Leave out --seeds"),
        (["--data", "nmnist:folds=3:fold=1", "--folds", "3"], "Leave it out of --data"),
    ],
)
def test_a_comparison_in_folds_that_cannot_be_is_refused_before_anything_is_trained(tmp_path, asked, words):
    done = CliRunner().invoke(app, ["compare", *QUICK, *asked, "--out", str(tmp_path / "none")])
    assert isinstance(done.exception, UserError) and words in str(done.exception)
    assert not (tmp_path / "none").exists()
