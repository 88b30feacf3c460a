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
from neurorules.compare.table import as_markdown, rows_of
from neurorules.datasets import open_dataset
from neurorules.language.config import TrainConfig
from neurorules.papers.paper import Paper, Row, Table
from neurorules.papers.reproduce import reproduce
from neurorules.runs.folder import RunFolder
from neurorules.torch_path.training.batches import Data
from neurorules.torch_path.training.evaluate import evaluate
from neurorules.torch_path.training.learner import Learner
from neurorules.torch_path.training.restore import restore
from neurorules.torch_path.training.state import to_tensors
from neurorules.torch_path.training.trainer import train as train_config
from neurorules.torch_path.training.watch import Watcher

LIMIT, HELD, STEPS, EPOCHS = 190, 50, 4, 5
SETTINGS: dict[str, Any] = {
    "rule": "dfa", "data": "digits", "net": "9-7", "neuron": "if", "norm": "streaming", "steps": STEPS,
    "epochs": EPOCHS, "limit": LIMIT, "validation": HELD, "batch_size": 32, "lr": 0.3, "readout_lr": 0.5,
    "lr_schedule": "constant", "precision": "float64", "threads": 1,
}  # fmt: skip
Flat = dict[str, np.ndarray]


class Answer(NamedTuple):
    """Class scores (N, 10); of both hidden layers spikes, what arrived, and the current of it, (T, N, n) each."""

    scores: np.ndarray
    spikes: list[np.ndarray]
    arrived: list[np.ndarray]
    currents: list[np.ndarray]

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
    arrives, spikes, arrived, currents = np.broadcast_to(x, (STEPS, *x.shape)), [], [], []
    for layer in ("hidden1", "hidden2"):
        w, b = stored[f"parameters/{layer}.ff.w"], stored[f"parameters/{layer}.b"]
        current = (arrives - stored.get(f"pre/input.{layer}.ff/value", 0.0)) @ w.T
        arrived.append(arrives)
        currents.append(current)
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
    scores = (arrives @ stored["parameters/readout.ff.w"].T + stored["parameters/readout.b"]).mean(0)
    return Answer(scores, spikes, arrived, currents)


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


def test_a_run_that_is_opened_again_is_the_network_that_was_trained(run: Ran) -> None:
    restored = restore(run.folder.path)
    found = to_tensors(restored.learner.learned)
    assert all(torch.equal(found[name], run.folder.load_weights()[name]) for name in found)
    assert {name.partition("/")[0] for name in found} == {"parameters", "current", "pre", "update", "signal"}
    again = evaluate(restored.learner, restored.data.test, restored.config.seed)
    assert (again.accuracy, again.spikes_per_sample) == (
        run.result["test_accuracy"], run.result["spikes_per_sample"],
    )  # fmt: skip


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


def test_running_averages_are_those_of_the_samples_that_were_seen(tmp_path: Path, digits: Digits) -> None:
    done = ran(tmp_path / "run", lr=0.0, readout_lr=0.0, epochs=2)
    state = {name: value for name, value in as_arrays(done.states[0]).items() if name.startswith("parameters/")}
    for layer, neurons, inputs in (("hidden1", 9, 64), ("hidden2", 7, 9)):
        state[f"current/input.{layer}/mean/value"] = np.zeros(neurons)
        state[f"current/input.{layer}/square/value"] = np.ones(neurons)
        state[f"pre/input.{layer}.ff/value"] = np.zeros(inputs)
    seen = 0
    for epoch in range(2):
        order = np.random.default_rng((0, epoch)).permutation(LIMIT - HELD)
        for first in range(0, len(order), 32):
            chosen = order[first : first + 32]
            found, n = answer(state, digits.train[0][chosen]), len(chosen)
            # A young average counts every sample alike, and its start as 16; an old one moves by a tenth in 128.
            step = max(n / (16 + seen + n), 1 - 0.9 ** (n / 128))
            for layer, current, arrived in zip(("hidden1", "hidden2"), found.currents, found.arrived, strict=True):
                now = {
                    f"current/input.{layer}/mean/value": current.mean((0, 1)),
                    f"current/input.{layer}/square/value": (current**2).mean((0, 1)),
                    f"pre/input.{layer}.ff/value": arrived.mean((0, 1)),
                }
                state |= {name: state[name] + step * (value - state[name]) for name, value in now.items()}
            seen += n
    stored = as_arrays(done.folder.load_weights())
    for name, value in state.items():
        np.testing.assert_allclose(stored[name], value, rtol=1e-5, atol=1e-7, err_msg=name)  # float32 pixels
        assert not name.startswith("current") or stored[name.replace("value", "samples")] == seen == 2 * (LIMIT - HELD)


def test_running_averages_of_updates_are_those_of_the_steps_and_samples(digits: Digits) -> None:
    learner = Learner("9-7", "dfa", input_shape=(64,), classes=10, neuron="lif", steps=STEPS, precision="float64")
    drive = torch.from_numpy(digits.train[0][:20]).expand(STEPS, 20, 64) * 2
    for _ in range(3):  # until neurons fire, and their normalisation is no longer at its start
        learner.step(drive, torch.from_numpy(digits.train[1][:20]))
    before = as_arrays(learner.state())
    trial, _ = learner.learn(drive, torch.from_numpy(digits.train[1][:20]))
    after = as_arrays(learner.state())
    for layer, activity in zip(("hidden1", "hidden2"), trial.activity, strict=False):
        v, m = activity.v.values.numpy(), trial.third_factors[layer].values.numpy()
        mean, square = (before[f"current/input.{layer}/{kind}/value"] for kind in ("mean", "square"))
        arrived = activity.pre["ff"].values.numpy() - before[f"pre/input.{layer}.ff/value"]
        w = before[f"parameters/{layer}.ff.w"]
        normalised = (arrived @ w.T - mean) / np.sqrt(square - mean**2 + 1e-3)
        d = m / (1 + 2 * np.abs(v - 1)) ** 2
        gain = 1 / np.sqrt(square - mean**2 + 1e-3)
        held = {kind: before[f"update/input.{layer}.w.0/{kind}/value"] for kind in ("mean", "product")}
        post = (d - held["mean"] - normalised * held["product"]) * gain
        expected = np.einsum("tbo,tbi->oi", post, arrived) / 20
        np.testing.assert_allclose(trial.gradients[f"{layer}.ff.w"].numpy(), expected, rtol=1e-9, atol=1e-15)
        step = max(20 / (16 + 60 + 20), 1 - 0.9 ** (20 / 128))
        for kind, value in (("mean", d.mean((0, 1))), ("product", (d * normalised).mean((0, 1)))):
            name = f"update/input.{layer}.w.0/{kind}/value"
            np.testing.assert_allclose(after[name], before[name] + step * (value - before[name]), rtol=1e-9, atol=1e-15)


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
    (shown,) = rows_of([{**result, "control": ""} for result in results])
    assert (shown.seeds, shown.test) == (3, pytest.approx(sum(accuracies) / 3))
    assert shown.test_spread == pytest.approx(statistics.stdev(accuracies))
    assert f"{100 * shown.test:.2f} ± {100 * shown.test_spread:.2f}" in as_markdown([shown])
    assert shown.validation == pytest.approx(statistics.mean(result["validation_accuracy"] for result in results))


def test_a_run_without_a_folder_says_the_same(run: Ran) -> None:
    plain = train(**SETTINGS)
    for name in ("test_accuracy", "validation_accuracy", "spikes_per_sample", "synops_per_sample"):
        assert plain[name] == run.result[name]
