"""What a run says of itself, computed again from the weights that it stored, by a network written here in NumPy."""

from __future__ import annotations

import json
import statistics
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from torch import Tensor

from neurorules.api import train
from neurorules.compare.papers._shared import Paper, Row, Table
from neurorules.compare.reproduce import reproduce
from neurorules.compare.table import as_markdown, rows_of
from neurorules.datasets import open_dataset
from neurorules.language.config import TrainConfig
from neurorules.runs.folder import RunFolder
from neurorules.torch_path.batches import Data
from neurorules.torch_path.learner import Learner
from neurorules.torch_path.trainer import train as train_config
from neurorules.torch_path.watch import Watcher

LIMIT, HELD, STEPS, EPOCHS = 190, 50, 4, 5
SETTINGS: dict[str, Any] = {
    "rule": "dfa", "data": "digits", "net": "9-7", "neuron": "if", "norm": "streaming", "steps": STEPS,
    "epochs": EPOCHS, "limit": LIMIT, "validation": HELD, "batch_size": 32, "lr": 0.3, "readout_lr": 0.5,
    "lr_schedule": "constant", "precision": "float64", "threads": 1,
}  # fmt: skip
Flat = dict[str, np.ndarray]


class Answer(NamedTuple):
    """Class scores (N, 10), and spikes (T, N, n) of both hidden layers."""

    scores: np.ndarray
    spikes: list[np.ndarray]

    def accuracy(self, labels: np.ndarray) -> float:
        return float((self.scores.argmax(1) == labels).mean())

    def loss(self, labels: np.ndarray) -> float:
        """Mean cross-entropy."""
        exponentials = np.exp(self.scores)
        return float(-np.log(exponentials[np.arange(len(labels)), labels] / exponentials.sum(1)).mean())


class Digits(NamedTuple):
    """Pixels (N, 64), standardised by the training samples, and labels of each part."""

    train: tuple[np.ndarray, np.ndarray]
    validation: tuple[np.ndarray, np.ndarray]
    test: tuple[np.ndarray, np.ndarray]


@pytest.fixture(scope="module")
def digits() -> Digits:
    data = open_dataset("digits")
    order = np.random.default_rng(len(data.train_labels)).permutation(len(data.train_labels))[:LIMIT]
    kept, held = np.sort(order[: LIMIT - HELD]), np.sort(order[LIMIT - HELD :])
    pixels = data.train[kept].astype(np.float64)
    mean, deviation = pixels.mean(), pixels.std()

    def part(images: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return ((images.astype(np.float64) - mean) / deviation).reshape(len(images), -1), labels

    parts = ((data.train[kept], data.train_labels[kept]), (data.train[held], data.train_labels[held]))
    return Digits(*(part(*some) for some in (*parts, (data.test, data.test_labels))))


def answer(stored: Flat, x: np.ndarray) -> Answer:
    """Integrate-and-fire neurons of threshold 1 that a spike sets to 0, the read-out the mean of its current."""
    arrives, spikes = np.broadcast_to(x, (STEPS, *x.shape)), []
    for layer in ("hidden1", "hidden2"):
        w, b = stored[f"parameters/{layer}.ff.w"], stored[f"parameters/{layer}.b"]
        current = (arrives - stored.get(f"pre/input.{layer}.ff/value", 0.0)) @ w.T
        if f"current/input.{layer}/mean/value" in stored:
            mean, square = (stored[f"current/input.{layer}/{kind}/value"] for kind in ("mean", "square"))
            current = (current - mean) / np.sqrt(square - mean**2 + 1e-3)
        u, fired = np.zeros(current.shape[1:]), []
        for step in current + b:
            v = u + step
            fired.append((v > 1).astype(float))
            u = np.where(v > 1, 0.0, v)
        arrives = np.stack(fired)
        spikes.append(arrives)
    return Answer((arrives @ stored["parameters/readout.ff.w"].T + stored["parameters/readout.b"]).mean(0), spikes)


def as_arrays(state: dict[str, Tensor]) -> Flat:
    return {name: value.double().numpy() for name, value in state.items()}


class Kept(Watcher):
    """Keeps what a learner holds, epoch by epoch."""

    def __init__(self) -> None:
        self.states: list[dict[str, Tensor]] = []

    def look(self, learner: Learner, data: Data, epoch: int, folder: Path | None) -> None:
        assert len(self.states) == epoch
        self.states.append({name: value.clone() for name, value in learner.state().items()})


class Ran(NamedTuple):
    """A run: its folder, its result, and its states before the first epoch and after each."""

    folder: RunFolder
    result: dict[str, Any]
    states: list[dict[str, Tensor]]


def ran(out: Path, **changed: Any) -> Ran:
    watcher = Kept()
    train_config(TrainConfig(**{**SETTINGS, **changed}), out, quiet=True, watchers=[watcher])
    folder = RunFolder.finished(out)
    return Ran(folder, folder.read_result(), watcher.states)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Ran:
    return ran(tmp_path_factory.mktemp("runs") / "run")


def test_the_weights_that_are_stored_are_those_of_the_last_epoch(run: Ran) -> None:
    stored, last = run.folder.load_weights(), run.states[-1]
    assert stored.keys() == last.keys()
    for name, value in last.items():
        assert torch.equal(stored[name], value) and stored[name].dtype == value.dtype, name
    name = "parameters/hidden1.ff.w"
    assert len({tuple(state[name].flatten().tolist()) for state in run.states}) == EPOCHS + 1


@pytest.mark.parametrize("hardware", ["fixed_point:bits=6", "fixed_point:bits=4:cv=0"])
def test_a_device_stores_its_codes_and_answers_with_what_it_reads(
    tmp_path: Path, digits: Digits, hardware: str
) -> None:
    done = ran(tmp_path / "run", hardware=hardware, epochs=1)
    stored, last = done.folder.load_weights(), done.states[-1]
    assert all(torch.equal(stored[name], value) for name, value in last.items()) and stored.keys() == last.keys()
    found = as_arrays(stored)
    for layer in ("hidden1", "hidden2", "readout"):
        found[f"parameters/{layer}.ff.w"] *= found.get(f"hardware/{layer}.ff.w/gain", 1.0)
    assert done.result["test_accuracy"] == pytest.approx(answer(found, digits.test[0]).accuracy(digits.test[1]))


def test_the_result_follows_from_the_stored_weights(run: Ran, digits: Digits) -> None:
    stored = as_arrays(run.folder.load_weights())
    test = answer(stored, digits.test[0])
    assert run.result["test_accuracy"] == pytest.approx(test.accuracy(digits.test[1]))
    last = answer(stored, digits.validation[0]).accuracy(digits.validation[1])
    assert run.result["validation_accuracy"] == pytest.approx(last)
    # The other numbers that could stand there are other ones.
    history = [row["validation_accuracy"] for row in run.folder.read_metrics()]
    assert max(history) > last and len({*history, run.result["test_accuracy"]}) >= 4
    assert run.result["test_accuracy"] != answer(stored, digits.train[0]).accuracy(digits.train[1])
    first, second = (float(spikes.sum()) / len(digits.test[1]) for spikes in test.spikes)
    assert min(first, second) > 1
    assert run.result["spikes_per_sample"] == pytest.approx(first + second)
    assert run.result["synops_per_sample"] == pytest.approx(7 * first + 10 * second)
    assert run.result["mean_rates"] == pytest.approx({"hidden1": first / (STEPS * 9), "hidden2": second / (STEPS * 7)})
    counts = (run.result[f"{part}_samples"] for part in ("train", "validation", "test"))
    assert tuple(counts) == (LIMIT - HELD, HELD, 360)
    assert run.result["parameters"] == 64 * 9 + 9 + 9 * 7 + 7 + 7 * 10 + 10
    assert run.result["samples_per_second"] == pytest.approx(EPOCHS * (LIMIT - HELD) / run.result["train_seconds"])
    assert (run.result["seed"], run.result["epochs"], run.result["net"]) == (0, EPOCHS, "9-7")


def test_each_row_of_metrics_is_that_of_its_epoch(run: Ran, digits: Digits) -> None:
    rows = run.folder.read_metrics()
    assert [row["epoch"] for row in rows] == list(range(1, EPOCHS + 1))
    for row, state in zip(rows, run.states[1:], strict=True):
        found = answer(as_arrays(state), digits.validation[0])
        assert row["validation_accuracy"] == pytest.approx(found.accuracy(digits.validation[1])), row["epoch"]
        spikes = [float(layer.sum()) for layer in found.spikes]
        assert row["spikes_per_sample"] == pytest.approx(sum(spikes) / HELD)
        assert row["mean_rates"]["hidden2"] == pytest.approx(spikes[1] / (HELD * STEPS * 7))
    seconds = [row["train_seconds"] for row in rows]
    assert seconds == sorted(seconds) and seconds[0] > 0 and run.result["train_seconds"] == seconds[-1]


def test_training_loss_and_accuracy_are_means_over_samples_and_not_over_batches(tmp_path: Path, digits: Digits) -> None:
    done = ran(tmp_path / "run", norm="none", lr=0.0, readout_lr=0.0, epochs=2)
    found = answer(as_arrays(done.folder.load_weights()), digits.train[0])
    for row in done.folder.read_metrics():
        assert row["train_accuracy"] == pytest.approx(found.accuracy(digits.train[1]))
        assert row["train_loss"] == pytest.approx(found.loss(digits.train[1]))


def test_a_mean_over_seeds_has_the_spread_of_a_sample(tmp_path: Path) -> None:
    config = TrainConfig(**{**SETTINGS, "rule": "shallow", "epochs": 1, "net": "4", "seed": 3})
    paper = Paper("a paper", "us", (Table("a table", (Row("a row", config),)),))
    (row,) = reproduce(paper, tmp_path / "out", seeds=3, quiet=True)["tables"][0]["rows"]
    results = [json.loads(path.read_text()) for path in sorted((tmp_path / "out").glob("*/*/*/result.json"))]
    accuracies = [result["test_accuracy"] for result in results]
    assert [result["seed"] for result in results] == [3, 4, 5] and len(set(accuracies)) > 1
    assert row["test_accuracy"] == pytest.approx(sum(accuracies) / 3)
    assert row["spread"] == pytest.approx(statistics.stdev(accuracies))
    assert row["seconds"] == pytest.approx(sum(result["train_seconds"] for result in results) / 3)
    (shown,) = rows_of(results)
    assert (shown.seeds, shown.test) == (3, pytest.approx(sum(accuracies) / 3))
    assert shown.test_spread == pytest.approx(statistics.stdev(accuracies))
    assert f"{100 * shown.test:.2f} ± {100 * shown.test_spread:.2f}" in as_markdown([shown])
    assert shown.validation == pytest.approx(statistics.mean(result["validation_accuracy"] for result in results))


def test_a_run_without_a_folder_says_the_same(run: Ran) -> None:
    plain = train(**SETTINGS)
    for name in ("test_accuracy", "validation_accuracy", "spikes_per_sample", "synops_per_sample"):
        assert plain[name] == run.result[name]
