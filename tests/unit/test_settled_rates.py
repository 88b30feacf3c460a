"""What a run records: the rates, optimisers, encoder and held-out samples that were in force, whoever decided them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from neurorules.cli import run
from neurorules.language.config import TrainConfig
from neurorules.language.errors import UserError
from neurorules.rules import RULES
from neurorules.runs import checkpoint
from neurorules.runs.folder import WEIGHTS, RunFolder
from neurorules.runs.seal import SEAL_FILE
from neurorules.runs.tensors import load_tensors, save_tensors
from neurorules.torch_path.training.learner import Learner
from neurorules.torch_path.training.restore import restore
from neurorules.torch_path.training.trainer import train
from neurorules.torch_path.update.updates import Adam, Descent

SMALL: dict[str, Any] = {"net": "5", "steps": 2, "epochs": 2, "limit": 60, "batch_size": 30, "threads": 1}
DECIDED = ("lr", "readout_lr", "signal_lr", "optimizer", "readout_optimizer", "encode", "validation", "neuron", "norm")
"""Settings that a user may leave open, and that a run folder never does."""


def config(rule: str, **settings: Any) -> TrainConfig:
    return TrainConfig(rule=rule, **{**SMALL, **settings})


def learner_of(rule: str, **settings: Any) -> Learner:
    settled = RULES.make(rule).settle(config(rule, **settings))
    return Learner("5", input_shape=(6,), classes=3, **settled.learner_settings())


def rates_in_force(learner: Learner) -> dict[str, tuple[type, float]]:
    """By parameter: the class of its update and its rate, as the optimiser's groups hold them."""
    return {name: (type(group.update), group.rate) for group in learner.optimiser.groups for name in group.names}


@pytest.mark.parametrize("rule", RULES.names())
def test_what_a_rule_settles_is_what_its_optimiser_does(rule: str) -> None:
    settled, learner = RULES.make(rule).settle(config(rule)), learner_of(rule)
    of_the_net = learner.model.network.parameter_names()
    for name, (update, rate) in rates_in_force(learner).items():
        reads = name.startswith(("readout.", "hidden1.local_"))
        expected = settled.readout_lr if reads else settled.lr if name in of_the_net else settled.signal_lr
        kind = settled.readout_optimizer if reads else settled.optimizer
        assert rate == expected, name
        assert update is {"adam": Adam}.get(kind, Descent), name


def test_each_rate_and_optimiser_that_is_given_reaches_its_own_parameters() -> None:
    given = {"lr": 0.1, "readout_lr": 0.2, "signal_lr": 0.3, "optimizer": "sgd", "readout_optimizer": "adam"}
    found = rates_in_force(learner_of("sigprop", **given))
    assert found["hidden1.ff.w"] == (Descent, 0.1) and found["readout.ff.w"] == (Adam, 0.2)
    assert [kind for name, kind in found.items() if "embedding" in name] == [(Descent, 0.3)]


def test_a_read_out_follows_the_optimiser_that_is_given_for_all() -> None:
    settled = RULES.make("stdp").settle(config("stdp"))
    assert (settled.optimizer, settled.readout_optimizer) == ("sgd", "adam")
    assert RULES.make("stdp").settle(config("stdp", optimizer="momentum")).readout_optimizer == "momentum"


def test_changes_without_an_optimiser_are_recorded_at_the_rate_at_which_they_are_applied() -> None:
    settled = RULES.make("sigprop").settle(config("sigprop", optimizer="none", lr=0.5))
    assert (settled.lr, settled.readout_lr, settled.signal_lr) == (1.0, 1.0, 1.0)
    assert {rate for _, rate in rates_in_force(learner_of("sigprop", optimizer="none", lr=0.5)).values()} == {1.0}
    half = RULES.make("sigprop").settle(config("sigprop", optimizer="none", readout_optimizer="adam"))
    assert (half.lr, half.readout_lr) == (1.0, 0.01)


@pytest.mark.parametrize("rule", ["sigprop", "bsp", "pepita:neurons=rate"])
def test_config_and_result_hold_what_was_left_open(rule: str, tmp_path: Path) -> None:
    # Rules whose neurons run one step bring their own number of steps.
    result = train(config(rule, steps=None), tmp_path / "run", quiet=True)
    stored = json.loads((tmp_path / "run" / "config.json").read_text())
    written = json.loads((tmp_path / "run" / "result.json").read_text())
    defaults = RULES.make(rule).defaults
    for name in DECIDED:
        assert stored[name] == result[name] == written[name] is not None, name
        if hasattr(defaults, name):
            assert stored[name] == getattr(defaults, name), name
    assert stored["encode"] == "constant" and stored["validation"] == 6 == written["validation_samples"]


def older(folder: Path, **changed: Any) -> dict[str, Any]:
    """Write a run's files as earlier versions did: null for what the user had left open, and no digests."""
    path = folder / "config.json"
    stored = json.loads(path.read_text())
    (folder / SEAL_FILE).unlink()
    save_tensors(folder / WEIGHTS, load_tensors(folder / WEIGHTS)[0])
    if (begun := checkpoint.load(folder, stored)) is not None:
        checkpoint.save(folder, *begun)
    stored |= dict.fromkeys(("lr", "readout_lr", "optimizer", "encode", "validation"))
    for name in ("readout_optimizer", "signal_lr"):
        del stored[name]
    path.write_text(json.dumps({**stored, **changed}))
    return stored


def test_a_run_of_an_earlier_version_goes_on_and_is_read_by_what_its_rule_decides(tmp_path: Path) -> None:
    whole = train(config("sigprop"), tmp_path / "run", quiet=True)
    weights = RunFolder(tmp_path / "run").load_weights()
    older(tmp_path / "run")
    assert restore(tmp_path / "run").config.readout_lr == 0.01
    again = train(config("sigprop"), tmp_path / "run", resume=True, quiet=True)
    assert again["test_accuracy"] == whole["test_accuracy"] and again["readout_lr"] == 0.01
    assert all(torch.equal(value, weights[name]) for name, value in RunFolder(tmp_path / "run").load_weights().items())
    same = config("sigprop", readout_lr=0.01, optimizer="adam", encode="constant", validation=6)
    assert train(same, tmp_path / "run", resume=True, quiet=True)["test_accuracy"] == whole["test_accuracy"]


@pytest.mark.parametrize(
    ("asked", "words"),
    [({"readout_lr": 0.003}, "readout_lr is 0.01, asked 0.003"), ({"lr": 0.01}, "lr is 0.003, asked 0.01"),
     ({"validation": 7}, "validation is 6, asked 7"), ({"encode": "poisson"}, 'encode is "constant", asked "poisson"'),
     ({"optimizer": "sgd"}, 'optimizer is "adam", asked "sgd"; readout_optimizer is "adam", asked "sgd"')],
)  # fmt: skip
def test_a_run_of_an_earlier_version_does_not_go_on_with_other_settings(
    asked: dict[str, Any], words: str, tmp_path: Path
) -> None:
    train(config("sigprop", epochs=1), tmp_path / "run", quiet=True)
    older(tmp_path / "run")
    with pytest.raises(UserError, match=words):
        train(config("sigprop", epochs=1, **asked), tmp_path / "run", resume=True, quiet=True)


def test_what_an_earlier_version_was_given_for_all_holds_for_its_read_out(tmp_path: Path) -> None:
    train(config("sigprop", epochs=1, optimizer="sgd"), tmp_path / "run", quiet=True)
    older(tmp_path / "run", optimizer="sgd")
    found = train(config("sigprop", epochs=1, optimizer="sgd"), tmp_path / "run", resume=True, quiet=True)
    assert found["readout_optimizer"] == "sgd"


def test_train_says_which_signal_or_text_replaced_the_rules_own(capsys: pytest.CaptureFixture[str]) -> None:
    small = ["--net", "5", "--steps", "2", "--epochs", "1", "--limit", "60", "--threads", "1"]
    assert run(["train", "--rule", "bptt", *small, "--signal", "dfa"]) == 0
    assert capsys.readouterr().out.startswith("bptt@signal=dfa on digits: ")
