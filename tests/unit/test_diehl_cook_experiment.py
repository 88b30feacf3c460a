"""The experiment around the network: presentations, classes of neurons, votes, the control, and the command."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from neurorules.cli import run as command
from neurorules.contracts.data_set import DataSet
from neurorules.datasets import open_dataset
from neurorules.language.errors import UserError
from neurorules.native.diehl_cook import Constants, normalise, random_state
from neurorules.papers.diehl_cook import experiment
from neurorules.papers.diehl_cook.experiment import FIELDS, UNASSIGNED, WEIGHTS, DiehlCook, accuracy, assign, run
from neurorules.papers.diehl_cook.network import TorchNetwork
from neurorules.papers.diehl_cook.presentation import FEWEST_SPIKES, most_attempts, show
from neurorules.runs.tensors import load_tensors

C = Constants()
SMALL: dict[str, Any] = {"neurons": 6, "data": "digits", "limit": 4, "assigns": 8, "tested": 6}


def small_network() -> TorchNetwork:
    return TorchNetwork(random_state(64, 4, np.random.default_rng(0), C), C)


def test_an_image_is_shown_again_and_brighter_until_five_spikes_answer() -> None:
    network, random = small_network(), np.random.default_rng(1)
    image = np.where(np.arange(64) < 40, 200.0, 0.0)
    answer = show(network, image, random, C, learns=True, adapts=True)
    assert answer.counts.sum() >= FEWEST_SPIKES and 1 < answer.attempts < most_attempts(C)
    torch.testing.assert_close(network.w.sum(0), torch.full((4,), 78.0 * 64 / 784, dtype=torch.float64))
    assert (network.theta != C.theta_mV).any()


def test_an_image_without_a_pixel_ends_and_answers_nothing() -> None:
    network = small_network()
    before = network.w
    answer = show(network, np.zeros(64), np.random.default_rng(1), C, learns=False, adapts=False)
    assert (answer.counts.sum(), answer.attempts) == (0, most_attempts(C))
    assert 255 / 8 * (most_attempts(C) + 1) * C.dt_ms / 1000 <= 1  # the last one is no more than a spike in a step
    assert torch.equal(network.w, before) and (network.theta == C.theta_mV).all()


def test_neurons_get_the_class_of_their_highest_mean_and_classes_vote_by_means() -> None:
    counts = np.array([[4, 0, 0, 1], [2, 0, 0, 1], [3, 6, 0, 0], [3, 6, 0, 0], [3, 6, 0, 1]])
    labels = np.array([0, 0, 2, 2, 2])  # means: 3, 0, 0, 1 for class 0, and 3, 6, 0, 1/3 for class 2
    assert assign(counts, labels, 3).tolist() == [0, 2, UNASSIGNED, 0]
    votes = np.array([[4, 3, 90, 0], [4, 1, 0, 0], [0, 0, 5, 0]])  # 2 against 3; 2 against 1; nobody who votes
    assigned = np.array([0, 2, UNASSIGNED, 0])
    assert accuracy(votes, np.array([2, 0, 0]), assigned, 3) == pytest.approx(2 / 3)
    assert accuracy(votes, np.array([1, 1, 1]), assigned, 3) == 0.0


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return load_tensors(folder / WEIGHTS)[0]


def in_folder(folder: Path, **changed: Any) -> dict[str, Any]:
    folder.mkdir()
    return run(DiehlCook(**(SMALL | changed)), folder, quiet=True)


def test_test_samples_and_labels_decide_nothing_but_the_accuracy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = in_folder(tmp_path / "first")
    data = open_dataset("digits")

    def other(*_: Any) -> DataSet:
        return replace(data, test=data.test[::-1].copy(), test_labels=(data.test_labels[::-1] + 3) % 10)

    monkeypatch.setattr(experiment, "open_dataset", other)
    second = in_folder(tmp_path / "second")
    ours, theirs = weights(tmp_path / "first"), weights(tmp_path / "second")
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)
    assert first["spikes_per_image"] != second["spikes_per_image"]
    assert (tmp_path / "first" / FIELDS).read_bytes().startswith(b"\x89PNG")


def test_the_control_keeps_its_weights_and_adapts_its_thresholds(tmp_path: Path) -> None:
    result = in_folder(tmp_path / "frozen", learns=False)
    random = np.random.default_rng([0, 0])
    drawn = random_state(64, 6, random, C)
    tensors = weights(tmp_path / "frozen")
    assert torch.equal(tensors["w"], drawn.w) and (tensors["theta"] > 20.0).any()
    assert (result["batch_size"], result["limit"], result["assigns"], result["tested"]) == (1, 4, 8, 6)
    learned = in_folder(tmp_path / "learned")
    w = weights(tmp_path / "learned")["w"]
    assert learned["attempts_per_image"] >= 1 and not torch.equal(w, drawn.w)
    again = w.clone()
    normalise(again)
    torch.testing.assert_close(again, w)


def test_data_that_cannot_be_shown_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="sees images of one channel"):
        run(DiehlCook(neurons=2, data="order"), tmp_path, quiet=True)
    assert not list(tmp_path.iterdir())


ROW = ["reproduce", "diehl-cook", "--only", "torch", "--json", "--out"]


def test_the_command_runs_resumes_and_refuses(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from neurorules.papers.tables import diehl_cook

    class Small(DiehlCook):  # a type, as the functions of the table declare it
        def __init__(self, **given: Any) -> None:
            super().__init__(**(given if "seed" in given else SMALL | {"limit": 2}))

    monkeypatch.setattr(diehl_cook, "DiehlCook", Small)
    out = str(tmp_path / "runs")
    assert command([*ROW, out, "--seeds", "2"]) == 0
    rows = json.loads(capsys.readouterr().out)["tables"][1]["rows"]
    assert [row["seeds"] for row in rows] == [2, 0]
    assert rows[0]["results"][0]["seed"] == 0 and 0 <= rows[0]["test_accuracy"] <= 1
    assert command([*ROW, out, "--seeds", "2", "--resume"]) == 0
    again = json.loads(capsys.readouterr().out)["tables"][1]["rows"]
    assert again == rows
    for arguments, said in (
        (["--seeds", "1"], "holds another reproduction"),
        (["--seeds", "1", "--resume", "--limit", "3"], "was made with another limit"),
        (["--limit", "0", "--force"], "--limit is 0"),
    ):
        assert command([*ROW, out, *arguments]) == 2
        error = capsys.readouterr().err
        assert said in error and error.count("\n") == 1
    files = sorted(Path(out).glob("*/*/*/experiment.json"))
    assert len(files) == 2
    files[0].write_text("[]")
    assert command([*ROW, out, "--seeds", "1", "--resume"]) == 2
    assert "is damaged" in capsys.readouterr().err
