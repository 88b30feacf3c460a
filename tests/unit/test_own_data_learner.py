"""A learner of the user's own loop reads the same data as training does; a run comes back and reads them alike."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits
from torch.utils.data import DataLoader, Subset, TensorDataset

import neurorules
from neurorules import Learner
from neurorules.cli import run as command
from neurorules.datasets import open_dataset
from neurorules.datasets._own import own_data
from neurorules.encoders import open_encoder
from neurorules.language.errors import UserError
from neurorules.torch_path.training.batches import epoch_order
from neurorules.torch_path.training.restore import restore

SETTINGS: dict[str, Any] = {"input_shape": (1, 8, 8), "classes": 10, "steps": 4, "seed": 3, "device": "cpu"}
SMALL: dict[str, Any] = {"net": "12", "epochs": 2, "batch_size": 32, "steps": 4, "device": "cpu", "threads": 1}
EVENT = np.dtype([("p", bool), ("x", np.int16), ("t", np.int64), ("y", np.int16)])


def digits(count: int = 200) -> tuple[torch.Tensor, torch.Tensor]:
    pixels, labels = load_digits(return_X_y=True)
    return torch.from_numpy(pixels[:count] / 16).float().reshape(-1, 1, 8, 8), torch.from_numpy(labels[:count])


def states_equal(one: Learner, other: Learner) -> bool:
    return all(torch.equal(value, other.state()[name]) for name, value in one.state().items())


def test_a_pair_a_data_set_and_a_loader_in_that_order_are_learned_to_the_same_bits() -> None:
    x, y = digits()
    order = [epoch_order(SETTINGS["seed"], epoch, len(x)) for epoch in range(2)]
    batches = [[(x[part], y[part]) for part in np.split(places, range(40, 200, 40))] for places in order]
    learners = [Learner("16", "sigprop", **SETTINGS) for _ in range(4)]
    rows = [
        learners[0].fit((x, y), epochs=2, batch_size=40, lr_schedule="constant"),
        learners[1].fit(TensorDataset(x[:, 0], y), epochs=2, batch_size=40, lr_schedule="constant"),
        learners[2].fit((x[:, 0].numpy(), y.tolist()), epochs=2, batch_size=40, lr_schedule="constant"),
    ]
    for epoch in batches:
        learners[3].fit(epoch, lr_schedule="constant")
    assert all(states_equal(one, learners[3]) for one in learners[:3])
    assert [row["samples"] for row in rows[0]] == [200, 200] and rows[0][1]["loss"] < rows[0][0]["loss"]
    whole = learners[0].evaluate((x, y))
    assert whole["samples"] == 200
    assert whole["accuracy"] == learners[0].evaluate(DataLoader(TensorDataset(x, y), batch_size=33))["accuracy"]


def test_events_drive_a_learner_as_training_counts_them() -> None:
    random, samples, labels = np.random.default_rng(0), [], []
    for number in range(24):
        array = np.zeros(30 + number, EVENT)
        for name, high in {"p": 2, "x": 5, "y": 4, "t": 9000}.items():
            array[name] = random.integers(0, high, len(array))
        samples.append(array)
        labels.append(number % 3)
    data = own_data(((samples, labels), (samples[:3], labels[:3])), sensor_size=(5, 4, 2))
    encoder = open_encoder("frames", "events")
    frames = torch.from_numpy(np.array(encoder.prepare(data.train, 4, None)))
    settings = {**SETTINGS, "input_shape": (2, 4, 5), "classes": 3}
    one, other = Learner("9", "sigprop", **settings), Learner("9", "sigprop", **settings)
    assert one.evaluate((samples, labels)) == other.evaluate([(frames, torch.tensor(labels))], batch_first=True)
    loader = DataLoader(
        list(zip(samples, labels, strict=True)), batch_size=8, collate_fn=lambda some: list(zip(*some, strict=True))
    )
    one.fit(loader)
    other.fit([(frames[n : n + 8], torch.tensor(labels[n : n + 8])) for n in (0, 8, 16)], batch_first=True)
    assert states_equal(one, other)


def test_a_run_comes_back_without_its_data_and_reads_samples_as_training_did(tmp_path: Path) -> None:
    x, y = digits(400)
    train, test = (x[:300], y[:300]), TensorDataset(x[300:], y[300:])
    result = neurorules.train("sigprop", data=(train, test), out=tmp_path / "run", **SMALL)
    one = neurorules.load(tmp_path / "run")
    answer = one.evaluate(test)
    assert answer["accuracy"] == pytest.approx(result["test_accuracy"]) and answer["samples"] == 100
    assert one.evaluate(DataLoader(test, batch_size=7))["accuracy"] == pytest.approx(result["test_accuracy"])
    again = neurorules.load(tmp_path / "run", data=(train, test))
    assert states_equal(one, again)
    told = "the run in .* learned from data in memory: the training data: Tensor .*data=\\(train, test\\)"
    with pytest.raises(UserError, match=told):
        restore(tmp_path / "run")
    with pytest.raises(UserError, match="those given have another content"):
        neurorules.load(tmp_path / "run", data=(train, (x[300:350], y[300:350])))
    assert restore(tmp_path / "run", restore_place(train, test)).data.test.labels.tolist() == y[300:].tolist()
    assert result["class_names"] == [] and result["input_shape"] == [1, 8, 8] and result["data_kind"] == "images"
    assert "TensorDataset" in result["data_origin"] and result["encoder_statistics"]["deviation"] > 0


def restore_place(train: Any, test: Any) -> Any:
    return own_data((train, test))


def test_commands_say_what_a_run_needs_whose_data_lay_in_memory_and_take_a_file_of_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    x, y = digits(120)
    neurorules.train("sigprop", data=((x, y), (x[:20], y[:20])), out=tmp_path / "run", **{**SMALL, "epochs": 1})
    before = sorted(path.name for path in (tmp_path / "run").iterdir())
    for words in (["record", "--samples", "2"], ["simulate", "--samples", "2"]):
        assert command([words[0], str(tmp_path / "run"), *words[1:]]) == 2
        told = capsys.readouterr().err
        assert "learned from data in memory" in told and "data=(train, test)" in told and told.count("\n") == 1
    assert sorted(path.name for path in (tmp_path / "run").iterdir()) == before
    np.savez(tmp_path / "same.npz", x_train=x, y_train=y, x_test=x[:20], y_test=y[:20])
    np.savez(tmp_path / "other.npz", x_train=x, y_train=y, x_test=x[1:21], y_test=y[1:21])
    for told, words in {
        "samples": ["record", "--samples", "2", "--out", str(tmp_path / "t.h5")],
        "synapse": ["explain", "--synapse", "hidden1:0:5"],
        "float_accuracy": ["deploy", "--hardware", "fixed_point:bits=6"],
        "spikes_equal": ["simulate", "--samples", "2"],
    }.items():
        line = [words[0], str(tmp_path / "run"), *words[1:], "--json", "--data"]
        assert command([*line, str(tmp_path / "other.npz")]) == 2
        assert "has another content than the data that the run" in capsys.readouterr().err
        assert command([*line, str(tmp_path / "same.npz")]) == 0, capsys.readouterr().err
        assert json.loads(capsys.readouterr().out)[told]
    assert command(["train", "--data", "memory:0123456789abcdef"]) == 2
    assert "lay in the memory of a Python program" in capsys.readouterr().err


def test_a_run_goes_on_with_equal_data_and_refuses_others(tmp_path: Path) -> None:
    x, y = digits(200)
    whole = neurorules.train("sigprop", data=((x, y), (x[:40], y[:40])), **SMALL)
    first = {**SMALL, "out": tmp_path / "run"}
    neurorules.train("sigprop", data=((x, y), (x[:40], y[:40])), **{**first, "lr_schedule": "cosine"})
    shuffled = DataLoader(TensorDataset(x, y), batch_size=9, shuffle=True)
    again = neurorules.train("sigprop", data=(shuffled, Subset(TensorDataset(x, y), range(40))), resume=True, **first)
    assert again["data_checksum"] == whole["data_checksum"] and again["test_accuracy"] == whole["test_accuracy"]
    with pytest.raises(UserError, match='data is "memory:'):
        neurorules.train("sigprop", data=((x[:150], y[:150]), (x[:40], y[:40])), resume=True, **first)


def test_a_comparison_takes_data_in_memory_with_its_controls_and_report(tmp_path: Path) -> None:
    x, y = digits(300)
    frames = (x[:, None] > torch.rand(300, 5, 1, 8, 8, generator=torch.Generator().manual_seed(0))).to(torch.uint8)
    data = ((frames[:240], y[:240]), (frames[240:], y[240:]))
    settings = {**SMALL, "steps": None, "epochs": 1}
    settings.pop("steps")
    found = neurorules.compare("sigprop,bptt", tmp_path / "out", data=data, jobs=2, **settings)
    rows = {run["row"] if "row" in run else run["rule"] for run in found["runs"]}
    assert len(found["runs"]) >= 4 and any("shallow" in row for row in rows) and "audit" in found
    assert {run["steps"] for run in found["runs"]} == {5} and not any("steps" in row for row in rows)
    assert (tmp_path / "out" / "report.html").stat().st_size > 1000
    again = neurorules.compare("sigprop,bptt", tmp_path / "out", data=data, resume=True, **settings)
    assert [run["test_accuracy"] for run in again["runs"]] == [run["test_accuracy"] for run in found["runs"]]


def test_what_was_understood_is_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    x, y = digits(60)
    rows = torch.nn.functional.one_hot(y, 10)
    with caplog.at_level(logging.WARNING):
        restore_place((x[:, 0, :5], rows), (x[:20, 0, :5], rows[:20]))
    told = [record.getMessage() for record in caplog.records]
    assert any("labels are one-hot rows, and are read as class numbers 0 to 9" in line for line in told)
    assert any("read as grey images of 5 rows and 8 columns" in line and "batch_first=True" in line for line in told)
    caplog.clear()
    frames = x.expand(-1, 6, -1, -1)  # (N, T, H, W)
    restore_place((frames, y), (frames[:20], y[:20]))
    assert "samples of the shape (6, 8, 8) are read as images of 6 channels" in caplog.text
    caplog.clear()
    np.savez(tmp_path / "frames.npz", x_train=x[:, 0, :5], y_train=y, x_test=x[:20, 0, :5], y_test=y[:20])
    open_dataset(str(tmp_path / "frames.npz"))
    assert "grey images of 5 rows" in caplog.text and ":batch_first=true" in caplog.text
    turned = x[:, 0, :5].swapaxes(0, 1)  # (T, N, F)
    np.savez(tmp_path / "turned.npz", x_train=turned, y_train=y, x_test=turned[:, :20], y_test=y[:20])
    for text in ("turned.npz", "turned.npz:batch_first=true"):
        with pytest.raises(UserError, match=r"second axis of \(5, 60, 8\) counts 60: .* batch_first=False"):
            open_dataset(f"npz:{tmp_path / text}")
    assert open_dataset(f"npz:{tmp_path / 'turned.npz'}:batch_first=false").train.shape == (60, 5, 1, 1, 8)
    learner = Learner("12", "sigprop", **SETTINGS)
    with pytest.raises(UserError, match=r"the input has time first, \(T, B, \.\.\.\): .* x\.transpose\(0, 1\)"):
        learner.step(x[:30, None].expand(-1, 4, -1, -1, -1), y[:30])
    learner.predict(x[:30, None].expand(-1, 4, -1, -1, -1))
    assert "are read as 30 steps of 4 samples, and the learner has 4 steps" in caplog.text


def test_predictions_are_what_evaluate_counts() -> None:
    x, y = digits(600)
    learner = Learner("12", "sigprop", **SETTINGS)
    learner.fit((x, y), batch_size=40)
    said = learner.predict(x)
    assert said.dtype == torch.int64 and float((said == y).double().mean()) == learner.evaluate((x, y))["accuracy"]
    assert torch.equal(said, learner.predict(x[:, 0].numpy())) and len(said.unique()) > 2
    spikes = (torch.rand(4, 30, 1, 8, 8, generator=torch.Generator().manual_seed(0)) < x[:30]).float()
    expected = learner.scores(spikes).argmax(1)
    assert torch.equal(learner.predict(spikes), expected)
    assert torch.equal(learner.predict(spikes.transpose(0, 1), batch_first=True), expected)
    assert torch.equal(learner.predict(spikes[:, :, 0], batch_first=False), expected)
    for wrong in (DataLoader(TensorDataset(x, y)), (x, y), x[:0], x[:, :, :4]):
        with pytest.raises(UserError, match="the samples are|the network reads"):
            learner.predict(wrong)


@pytest.mark.parametrize(
    ("task", "settings", "expected"),
    [
        ("regression", {"outputs": 3}, lambda scores: scores),
        ("regression_per_step", {"outputs": 3}, lambda scores: scores),
        ("classes_per_step", {"classes": 3}, lambda scores: scores.argmax(2)),
        ("multilabel", {"classes": 3}, lambda scores: (scores > 0).long()),
    ],
)
def test_predictions_are_of_the_kind_of_the_targets(task: Any, settings: dict[str, int], expected: Any) -> None:
    learner = Learner("12", "dfa", input_shape=(5,), task=task, steps=4, device="cpu", **settings)
    spikes = (torch.rand(4, 9, 5, generator=torch.Generator().manual_seed(1)) < 0.5).float()
    said = learner.predict(spikes)
    assert torch.equal(said, expected(learner.scores(spikes))) and said.shape[0] == 9
