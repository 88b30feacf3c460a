"""The rates that a training learns at: schedules, the read-out's own rate, weight decay, read from how weights move.

All samples are one sample, and rates are so small that its gradient stays what it is: how far a weight moves in an
epoch, over how far one step at the full rate would move it, is the schedule.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from neurorules.contracts.data_set import DataSet
from neurorules.datasets import DATASETS
from neurorules.language.config import TrainConfig
from neurorules.rules import RULES
from neurorules.torch_path.training.batches import Data, load_data
from neurorules.torch_path.training.learner import Learner
from neurorules.torch_path.training.trainer import make_learner, train
from neurorules.torch_path.training.watch import Watcher
from neurorules.torch_path.update.optimiser import Optimiser

PIXELS, SAMPLES, BATCH, EPOCHS = 5, 12, 4, 4
BATCHES = SAMPLES // BATCH
LR, READOUT_LR = 2e-9, 7e-9
SETTINGS: dict[str, Any] = {
    "rule": "bptt", "data": "one_sample", "net": "4-4", "norm": "none", "steps": 6, "epochs": EPOCHS,
    "batch_size": BATCH, "validation": 0, "optimizer": "sgd", "lr": LR, "readout_lr": READOUT_LR,
    "precision": "float64", "encode": "constant:standardise=false", "threads": 1, "seed": 5,
}  # fmt: skip


@dataclass(frozen=True)
class OneSample:
    """The same sample again and again."""

    def load(self, data_dir: Path | None = None) -> DataSet:
        images = np.full((SAMPLES, 1, 1, PIXELS), 2.0, np.float32) * np.arange(1, PIXELS + 1, dtype=np.float32)
        labels = np.ones(SAMPLES, np.int64)
        return DataSet(
            "one_sample", "images", (1, 1, PIXELS), 3, images, labels, images[:2], labels[:2], "0", "constant"
        )


ENTRY = OneSample


@pytest.fixture(autouse=True)
def registered() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(DATASETS.modules, "one_sample", __name__)
        yield


class Kept(Watcher):
    """The parameters before the first epoch and after each."""

    def __init__(self) -> None:
        self.parameters: list[dict[str, Tensor]] = []

    def look(self, learner: Learner, data: Data, epoch: int, folder: Path | None) -> None:
        self.parameters.append({name: value.clone() for name, value in learner.learned.parameters.items()})


def trained(**changed: Any) -> tuple[list[dict[str, Tensor]], dict[str, Tensor]]:
    """Parameters epoch by epoch, and the gradient of the one sample at the first of them."""
    config = TrainConfig(**{**SETTINGS, **changed})
    watcher = Kept()
    train(config, quiet=True, watchers=[watcher])
    settled = RULES.make(config.rule).settle(config)
    data = load_data(settled, None)
    learner = make_learner(settled, data)
    for name, value in learner.learned.parameters.items():
        assert torch.equal(value, watcher.parameters[0][name])
    trial, _ = learner.learn(*data.train.batch(np.arange(BATCH), torch.Generator()))
    assert len(trial.gradients) == 6 and all(g.abs().max() > 1e-4 for g in trial.gradients.values())
    return watcher.parameters, trial.gradients


def moves(parameters: list[dict[str, Tensor]], name: str, step: Tensor) -> list[float]:
    """How many times a step each epoch moved a parameter; it must be that step in every place."""
    found = []
    for before, after in pairwise(parameters):
        moved = after[name] - before[name]
        times = float((moved * step).sum() / step.square().sum())
        torch.testing.assert_close(moved, times * step, rtol=1e-5, atol=1e-6 * float(step.abs().max()))
        found.append(times)
    return found


def cosine(epoch: float) -> float:
    return 0.5 * (1 + math.cos(math.pi * epoch / EPOCHS))


SCHEDULES: dict[str, Callable[[float], float]] = {
    "cosine": cosine,
    "cosine:warmup=0.25": lambda epoch: epoch if epoch < 1 else 0.5 * (1 + math.cos(math.pi * (epoch - 1) / 3)),
    "linear": lambda epoch: 1 - epoch / EPOCHS,
    "linear:warmup=0.5": lambda epoch: epoch / 2 if epoch < 2 else 1 - (epoch - 2) / 2,
    "constant": lambda epoch: 1.0,
    "steps:at=1-3:factor=0.5": lambda epoch: 1.0 if epoch < 1 else 0.5 if epoch < 3 else 0.25,
}


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_the_rate_of_every_batch_is_the_schedules_in_all_layers(schedule: str) -> None:
    parameters, gradients = trained(lr_schedule=schedule)
    fractions = [
        sum(SCHEDULES[schedule](epoch + batch / BATCHES) for batch in range(BATCHES)) for epoch in range(EPOCHS)
    ]
    for name, gradient in gradients.items():
        rate = READOUT_LR if name.startswith("readout") else LR
        assert moves(parameters, name, -rate * gradient) == pytest.approx(fractions, rel=1e-4), name


def test_a_training_falls_by_cosine_where_nothing_is_said() -> None:
    assert TrainConfig().lr_schedule == "cosine"


def test_weight_decay_pulls_weights_and_no_biases() -> None:
    decay, rate = 0.3, 0.5
    learner = Learner(
        "4-4", "bptt", input_shape=(PIXELS,), classes=3, precision="float64", optimizer="sgd", lr=rate,
        readout_lr=rate, weight_decay=decay,
    )  # fmt: skip
    drive = torch.rand(6, 6, PIXELS, dtype=torch.float64, generator=torch.Generator().manual_seed(1)) * 3
    learner.step(drive, torch.arange(6) % 3)  # biases begin at 0, where nothing could pull them
    before = {name: value.clone() for name, value in learner.learned.parameters.items()}
    trial, _ = learner.learn(drive, torch.arange(6) % 3)
    assert all(before[name].any() for name in trial.gradients) and len(trial.gradients) == 6
    for name, gradient in trial.gradients.items():
        pull = decay * before[name] if name.endswith(".w") else 0.0
        torch.testing.assert_close(learner.learned.parameters[name], before[name] - rate * (gradient + pull), msg=name)


def test_a_training_uses_the_weight_decay_that_it_is_given() -> None:
    parameters, gradients = trained(weight_decay=0.3, lr_schedule="constant")
    for name, gradient in gradients.items():
        rate = READOUT_LR if name.startswith("readout") else LR
        pull = 0.3 * parameters[0][name] if name.endswith(".w") else torch.zeros_like(gradient)
        expected = [float(BATCHES)] * EPOCHS
        assert moves(parameters, name, -rate * (gradient + pull)) == pytest.approx(expected, rel=1e-4), name


@pytest.mark.parametrize("name", RULES.names())
def test_a_rules_own_rates_are_those_that_its_layers_learn_at(name: str) -> None:
    own = RULES.make(name).defaults
    check_rates(name, own.lr, own.readout_lr)


def test_rates_that_are_given_replace_the_rules_own() -> None:
    check_rates("sigprop", 0.02, 0.05, {"lr": 0.02, "readout_lr": 0.05})
    check_rates("sigprop", 0.02, RULES.make("sigprop").defaults.readout_lr, {"lr": 0.02})
    check_rates("local_readout", RULES.make("local_readout").defaults.lr, 0.05, {"readout_lr": 0.05})


def check_rates(
    rule: str, lr: float, readout_lr: float, given: dict[str, float] | None = None, optimizer: str = "sgd"
) -> None:
    """One plain gradient step, against the gradient: whatever reads out learns at the read-out's rate."""
    own = RULES.make(rule).defaults
    text = "pepita:kappa=2" if rule == "pepita" else rule  # so that spikes of these few neurons move
    learner = Learner(
        "4-4", text, input_shape=(PIXELS,), classes=3, precision="float64", optimizer=optimizer, **(given or {})
    )
    drive = torch.rand(own.steps, 6, PIXELS, dtype=torch.float64, generator=torch.Generator().manual_seed(1)) * 3
    if rule == "espp":
        learner.step(drive, torch.arange(6) % 3)  # in a first trial there is no echo to learn from
    before = {name: value.clone() for name, value in learner.learned.parameters.items()}
    trial, _ = learner.learn(drive, torch.arange(6) % 3)
    moved = {name for name, gradient in trial.gradients.items() if gradient.any()}
    assert any(name.startswith("readout") for name in moved)
    assert RULES.make(rule).control or any(name.startswith("hidden") for name in moved)
    network = set(learner.model.network.parameter_names())
    for name, gradient in trial.gradients.items():
        reads = name.startswith("readout.") or ".local_" in name
        rate = readout_lr if reads else lr if name in network else own.signal_lr
        after = before[name] - rate * gradient
        bounds = learner.model.rule.bounds
        after = after.clamp(*bounds) if bounds is not None and name.startswith("hidden") else after
        torch.testing.assert_close(learner.learned.parameters[name], after, rtol=1e-12, atol=1e-15, msg=name)


KEPT = {"none": set(), "sgd": set(), "momentum": {"momentum_buffer"}, "pid": {"sum", "before"},
        "adam": {"step", "exp_avg", "exp_avg_sq"}}  # fmt: skip
"""What each kind keeps of a parameter between two updates."""


@pytest.mark.parametrize("name", RULES.names())
def test_hidden_layers_and_what_reads_out_change_by_the_rules_own_kinds(name: str) -> None:
    own = RULES.make(name).defaults
    learner = Learner("4-4", name, input_shape=(PIXELS,), classes=3)
    learner.step(torch.rand(own.steps, 6, PIXELS), torch.arange(6) % 3)
    kept: dict[str, set[str]] = {}
    for path in learner.optimiser.state():
        parameter, quantity = path.rsplit("/", 1)
        kept.setdefault(parameter, set()).add(quantity)
    assert kept["readout.ff.w"] == KEPT[own.readout_optimizer]
    if not RULES.make(name).control:
        assert kept.get("hidden1.ff.w", set()) == KEPT[own.optimizer.partition(":")[0]]


def test_changes_that_a_text_gives_as_they_are_have_no_rate() -> None:
    check_rates("dfa", 1.0, 1.0, {"lr": 0.02, "readout_lr": 0.05}, "none")


def test_a_controller_sums_what_was_and_opposes_what_grows() -> None:
    # dK = -rate (kp G + ki sum G + kd (G - G before)), the sum fading by `keep`, G with the decay in it.
    rate, decay, kp, ki, kd, keep = 0.1, 0.3, 0.7, 0.2, 0.4, 0.8
    w = np.array([[1.0, -2.0], [0.5, 3.0]])
    ours = {"hidden1.ff.w": torch.from_numpy(w.copy())}
    text = f"pid:kp={kp}:ki={ki}:kd={kd}:keep={keep}"
    optimiser = Optimiser(ours, {"hidden1.ff.w": text}, {"hidden1.ff.w": rate}, decay)
    total, before = np.zeros_like(w), None
    for step in range(4):
        gradient = np.random.default_rng(step).normal(size=w.shape)
        optimiser.step({"hidden1.ff.w": torch.from_numpy(gradient)})
        g = gradient + decay * w
        total = keep * total + g
        w = w - rate * (kp * g + ki * total + kd * (0.0 if before is None else g - before))
        before = g
        np.testing.assert_allclose(ours["hidden1.ff.w"].numpy(), w, rtol=1e-12)
