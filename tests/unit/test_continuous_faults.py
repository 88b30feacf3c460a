"""`train --path continuous`: what does not depend on how a run is cut, and what is refused instead of learned wrong."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from small_circuits import keep_small

from neurorules.api import train
from neurorules.brian2_continuous import record, trainer, training_run
from neurorules.brian2_continuous.parts.interpreted import Interpreted
from neurorules.brian2_continuous.parts.layers import Net
from neurorules.brian2_continuous.parts.plan import Order
from neurorules.cli import run
from neurorules.language.config import config_from
from neurorules.language.errors import UserError
from neurorules.runner.dispatch import train as run_circuit
from neurorules.runner.dispatch import validation_curves
from neurorules.runs import checkpoint
from neurorules.runs.folder import RunFolder
from neurorules.runs.interrupt import Interrupted, StopFlag
from neurorules.torch_path.training.checks import Diverged

SMALL: dict[str, Any] = {
    "path": "continuous", "rule": "sigprop", "net": "5", "limit": 14, "epochs": 1, "validation": 2, "seed": 1,
}  # fmt: skip
FEW = ["--limit", "4", "--validation", "1", "--epochs", "1"]
SLOW = "rate:tau_ms=4"
"""Units that have not forgotten a presentation when the next one begins."""


@pytest.fixture(autouse=True)
def interpreted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Brian2's numpy target, short runs, and few test samples."""
    keep_small(monkeypatch, 4, 12, record)


def learned(folder: Path) -> dict[str, np.ndarray]:
    return {name: values.numpy() for name, values in RunFolder.finished(folder).load_weights().items()}


@pytest.mark.parametrize("rule", ["sigprop", "stdp"])
def test_it_does_not_matter_how_many_samples_stream_in_at_a_time(rule: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Membranes, currents, traces and times since a last spike go on, within an epoch and from one to the next."""
    neuron = "lif:refractory_ms=2:tau_syn_ms=10:gain=5"
    config = trainer.settle(config_from({**SMALL, "rule": rule, "neuron": neuron, "net": "r4"}))
    data = trainer.load_data(config, None)
    few = replace(data.train, samples=data.train.samples[:4], labels=data.train.labels[:4])
    kept = []
    for at_once in (3, 9):
        monkeypatch.setattr(trainer, "PRESENTATIONS", at_once)
        made = trainer.prepare(config, data, True)
        order = Order(*(column[-4:] for column in made.plan.order(data.train.labels, data.source.classes)))
        # Two epochs, of which the last run is not full
        scores = [one for _ in range(2) for one in made.stream.learn(order, made.currents, np.linspace(1, 0.5, 4))]
        answers, spikes = made.answer(few)
        kept.append({**made.stream.state(), "scores": np.concatenate(scores), "answers": answers, **spikes})
    for name, values in kept[0].items():
        np.testing.assert_array_equal(values, kept[1][name], err_msg=name)
    assert np.any(kept[0]["hidden1.v"]) and kept[0]["hidden1"] > 0


def test_numbers_that_are_no_longer_finite_end_a_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    diverging = {**SMALL, "rule": "drtp", "lr": 1.7e308, "readout_lr": 1.7e308}
    with pytest.raises(Diverged, match="epoch 1.*no longer finite"):
        train(**diverging, out=tmp_path / "r")
    assert not (tmp_path / "r").exists()
    assert validation_curves(config_from(diverging), 1, None) == [[0.0]]


def test_what_was_learned_before_numbers_diverged_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read, runs = Interpreted.read, 0

    def breaks(machine: Interpreted, name: str) -> np.ndarray:
        nonlocal runs
        runs += name == "hidden1.b"
        values = read(machine, name)
        return values * np.nan if name == "hidden1.b" and runs > 4 else values

    monkeypatch.setattr(Interpreted, "read", breaks)
    with pytest.raises(
        Diverged, match=f"epoch 2: a number in hidden1.b is .*last checkpoint is kept in {tmp_path / 'r'}"
    ):
        train(**{**SMALL, "epochs": 3}, out=tmp_path / "r")
    found = checkpoint.load(tmp_path / "r")
    assert found is not None and found.state["epoch"] == 1
    assert all(values.isfinite().all() for values in found.tensors.values())


@pytest.mark.parametrize(
    ("neuron", "says"),
    [
        ("rate:dt_ms=3", "period_ms=10 is 3.33333 steps of dt_ms=3. Give a step that divides it, such as dt_ms=2.5"),
        ("rate:dt_ms=20", "dt_ms=10"),
        ("lif:dt_ms=0.3", "is 133.333 steps of dt_ms=0.3. Give a step that divides it, such as dt_ms=0.25"),
        ("lif:period_ms=0.5", "period_ms=0.5 is 0.5 steps of dt_ms=1"),
        ("rate:dt_ms=1e-9", "at most 1000000"),
        ("rate:period_ms=1e12", "at most 1000000"),
    ],
)
def test_a_presentation_is_a_whole_number_of_steps(
    neuron: str, says: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert (
        run(["train", "--path", "continuous", "--neuron", neuron, "--net", "5", *FEW, "--out", str(tmp_path / "r")])
        == 2
    )
    line = capsys.readouterr().err
    assert says in line and line.count("\n") == 1, line
    assert not (tmp_path / "r").exists()


def test_a_recurrent_layer_is_recorded_with_its_loop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    train(**{**SMALL, "net": "r5-4", "rule": "drtp", "limit": 6}, out=tmp_path / "r")
    nets: list[Net] = []
    monkeypatch.setattr(trainer, "Net", lambda *arguments: nets.append(Net(*arguments)) or nets[-1])
    traced = ["record", str(tmp_path / "r"), "--samples", "2", "--variables", "S,w", "--out", str(tmp_path / "r.h5")]
    assert run(traced) == 0
    assert nets[0].recurrent == (True, False)


def test_weights_that_a_circuit_does_not_have_are_refused() -> None:
    made = trainer.prepare(
        trainer.settle(config_from(SMALL)), trainer.load_data(trainer.settle(config_from(SMALL)), None), True
    )
    own = made.stream.parameters()
    with pytest.raises(UserError, match=r"hidden9\.ff\.w.*and none here"):
        made.stream.load({**own, "hidden9.ff.w": np.zeros((2, 2))})


def test_what_the_user_set_in_torch_changes_nothing(tmp_path: Path) -> None:
    config = config_from(SMALL)
    run_circuit(config, tmp_path / "plain", quiet=True)
    torch.set_default_dtype(torch.float16)
    torch.set_default_device("meta")
    try:
        with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
            run_circuit(config, tmp_path / "theirs", quiet=True)
            recorded = record.record_circuit(tmp_path / "theirs", tmp_path / "r.h5", "2", ["S"], quiet=True)
    finally:
        torch.set_default_dtype(torch.float32)
        torch.set_default_device(None)
    assert recorded
    for name, values in learned(tmp_path / "plain").items():
        np.testing.assert_array_equal(values, learned(tmp_path / "theirs")[name], err_msg=name)


@pytest.fixture(scope="module")
def stopped(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that was stopped in the middle of its epoch."""
    folder = tmp_path_factory.mktemp("stopped") / "r"
    with pytest.MonkeyPatch.context() as stopping:
        stopping.setattr(trainer, "machine_for", Interpreted)
        stopping.setattr(trainer, "PRESENTATIONS", 12)
        stopping.setattr(StopFlag, "requested", property(lambda flag: True))
        with pytest.raises(Interrupted):
            train(**SMALL, out=folder)
    return folder


@pytest.mark.parametrize(
    "changed",
    [
        {"epoch": -1}, {"epoch": 9}, {"epoch": 0.5}, {"presentation": 10**6}, {"presentation": -1}, {"presentation": 5},
        {"learned": 10**6}, {"learned": 1}, {"right": 10**6}, {"right": None}, {"seconds": "x"}, {"seconds": -1.0},
        {"validation": None}, {"validation": [0.5, 0.5]}, {"batch": 3}, {"epoch": None}, {"epoch": True},
    ],
)  # fmt: skip
def test_a_checkpoint_of_a_place_that_the_run_does_not_have_is_refused(
    changed: dict[str, Any], stopped: Path, tmp_path: Path
) -> None:
    folder = RunFolder(Path(shutil.copytree(stopped, tmp_path / "r")))
    found = checkpoint.load(folder.path)
    assert found is not None
    checkpoint.save(folder.path, found.tensors, {**found.state, **changed}, folder.config())
    with pytest.raises(UserError, match=r"position.*--force"):
        train(**SMALL, out=folder.path, resume=True)


def test_a_checkpoint_is_written_twice_a_minute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training_run, "CHECKPOINT_SECONDS", 0.0)
    slow = {**SMALL, "neuron": SLOW}
    whole, places = checkpoint.save, []

    def killed(folder: Path, tensors: Any, state: Any, config: Any) -> None:
        whole(folder, tensors, state, config)
        places.append(dict(state))
        if len(places) == 2:
            raise SystemError("killed")

    with monkeypatch.context() as killing:
        killing.setattr(checkpoint, "save", killed)
        with pytest.raises(SystemError):
            train(**slow, out=tmp_path / "r")
    assert [place["presentation"] for place in places] == [12, 24] and places[0]["epoch"] == 0
    train(**slow, out=tmp_path / "r", resume=True)
    train(**slow, out=tmp_path / "whole")
    for name, values in learned(tmp_path / "whole").items():
        np.testing.assert_array_equal(values, learned(tmp_path / "r")[name], err_msg=name)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--weight-decay", "0.1"], "--weight-decay 0.1 has no meaning"),
        (["--init", "torch"], "--init torch has no meaning"),
        (["--schedule", "by_step"], "--schedule by_step has no meaning"),
        (["--steps", "4"], "--steps 4 has no meaning"),
        (["--rule", "bsp", "--neuron", "lif"], "bsp in continuous time"),
    ],
)
def test_what_would_change_nothing_is_refused(
    options: list[str], says: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["train", "--path", "continuous", "--net", "5", *FEW, *options, "--out", str(tmp_path / "r")]) == 2
    line = capsys.readouterr().err
    assert says in line and line.count("\n") == 1, line
    assert not (tmp_path / "r").exists()


def test_one_sample_and_silent_samples_are_learned(tmp_path: Path) -> None:
    dark = np.full((6, 4), 0.5, dtype=np.float32)
    np.savez(tmp_path / "dark.npz", x_train=dark, y_train=np.arange(6) % 2, x_test=dark[:2], y_test=np.arange(2))
    own = {**SMALL, "data": str(tmp_path / "dark.npz"), "encode": "constant:standardise=false", "limit": None}
    for held in (0, 5):
        result = train(**{**own, "validation": held})
        assert result["train_samples"] == 6 - held and np.isfinite(result["test_accuracy"])
        assert json.dumps(result, allow_nan=False)
