"""Everything that learning changes is in the state, and a run that is killed anywhere goes on to the same bits."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from neurorules.contracts.series import Series
from neurorules.language.config import TrainConfig
from neurorules.rules import RULES
from neurorules.runs import checkpoint
from neurorules.runs.folder import RunFolder
from neurorules.torch_path.training import trainer, training_run
from neurorules.torch_path.training.learner import Learner

SETTINGS: dict[str, Any] = {
    "rule": "sigprop", "data": "digits", "net": "4", "limit": 14, "validation": 4, "batch_size": 5, "epochs": 2,
    "lr": 0.03, "threads": 1,
}  # fmt: skip
EPOCH = 2
"""Trials an epoch; a checkpoint is written after each, and one more when the epoch is over."""
WAYS: dict[str, dict[str, Any]] = {
    **{f"optimizer {kind}": {"optimizer": kind} for kind in ("none", "sgd", "momentum", "adam", "pid:kd=0.5")},
    **{f"rates {text}": {"lr_schedule": text} for text in ("constant", "steps:at=1:factor=0.3")},
    "weight decay": {"weight_decay": 0.1},
    **{f"schedule {text}": {"schedule": text, "rule": "dfa"} for text in ("by_step", "2")},
    **{f"schedule {text}": {"schedule": text, "net": "4-4"} for text in ("pipelined", "pipelined_threads")},
    **{f"rule {name}": {"rule": name} for name in RULES.names() if name != "sigprop"},
    "mirrored feedback": {"rule": "pepita:mirror=running"},
    "two passes": {"rule": "pepita:form=contrastive"},
    "short-term plasticity": {"connection": "dynamic"},
    "batch normalisation": {"norm": "batch", "rule": "bptt"},
    "dropout and recurrence": {"net": "r4-d0.5-4", "rule": "dfa"},
    "convolution": {"net": "c2k3-p2-4"},
    "drawn spikes and pictures": {"encode": "poisson", "augment": "shift+flip"},
    "drawn rounding": {"hardware": "fixed_point:bits=5"},
    "shuffled targets": {"targets": "shuffled"},
}


class KilledError(Exception):
    """The process ends here."""


def config_of(way: str, **changed: Any) -> TrainConfig:
    """A small training; few steps where its neurons have any."""
    settings = {**SETTINGS, **WAYS.get(way, {}), **changed}
    own = RULES.make(settings["rule"]).defaults.steps
    return TrainConfig(**settings, steps=min(own, 3))


def killed(
    monkeypatch: pytest.MonkeyPatch, config: TrainConfig, out: Path, save: int, before: bool = False,
    seconds: float = -1.0,
) -> None:  # fmt: skip
    """Train until the checkpoint of that number is written, or is about to be; one is due after so many seconds."""
    saved = 0

    def save_and_die(*arguments: Any) -> None:
        nonlocal saved
        saved += 1
        if saved == save and before:
            raise KilledError
        write(*arguments)
        if saved == save:
            raise KilledError

    write = checkpoint.save
    with monkeypatch.context() as patch:
        patch.setattr(training_run, "CHECKPOINT_SECONDS", seconds)
        patch.setattr(checkpoint, "save", save_and_die)
        with pytest.raises(KilledError):
            trainer.train(config, out, quiet=True, resume=out.exists())


def told(folder: RunFolder) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Metrics and result, without what a clock or a process decides."""
    of_the_clock = ("train_seconds", "samples_per_second", "peak_memory_mb", "peak_memory_of")
    rows = [folder.read_result(), *folder.read_metrics()]
    result, *metrics = [{key: value for key, value in row.items() if key not in of_the_clock} for row in rows]
    return metrics, result


def check_same(here: Path, there: Path) -> None:
    one, other = RunFolder.finished(here), RunFolder.finished(there)
    mine, theirs = one.load_weights(), other.load_weights()
    assert mine.keys() == theirs.keys()
    different = [name for name, value in theirs.items() if not torch.equal(mine[name], value)]
    assert not different
    assert told(one) == told(other)
    last = checkpoint.load(there)
    again = checkpoint.load(here)
    assert last is not None and again is not None and last.tensors.keys() == again.tensors.keys()
    assert all(torch.equal(again.tensors[name], value) for name, value in last.tensors.items())


@pytest.mark.parametrize("way", [way for way in WAYS if not way.startswith("rule") or "pepita" in way])
def test_a_run_killed_in_the_middle_of_an_epoch_goes_on_to_the_same_bits(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, way: str
) -> None:
    config = config_of(way)
    trainer.train(config, tmp_path / "whole", quiet=True)
    killed(monkeypatch, config, tmp_path / "killed", EPOCH + 1 + 1)
    assert len(RunFolder(tmp_path / "killed").read_metrics()) == 1
    trainer.train(config, tmp_path / "killed", quiet=True, resume=True)
    check_same(tmp_path / "killed", tmp_path / "whole")


@pytest.mark.parametrize("before", [True, False], ids=["before a checkpoint", "after a checkpoint"])
@pytest.mark.parametrize("save", [1, EPOCH, EPOCH + 1, EPOCH + 2, 2 * (EPOCH + 1)])
def test_a_row_of_metrics_is_neither_lost_nor_repeated_wherever_a_run_is_killed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, save: int, before: bool
) -> None:
    config = config_of("rule shallow")
    trainer.train(config, tmp_path / "whole", quiet=True)
    killed(monkeypatch, config, tmp_path / "killed", save, before)
    # A second time, in the epoch after.
    if save <= EPOCH:
        killed(monkeypatch, config, tmp_path / "killed", EPOCH + 1)
    trainer.train(config, tmp_path / "killed", quiet=True, resume=True)
    assert [row["epoch"] for row in RunFolder(tmp_path / "killed").read_metrics()] == [1, 2]
    check_same(tmp_path / "killed", tmp_path / "whole")


def test_a_run_killed_between_its_first_row_and_its_first_checkpoint_begins_again(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    config = config_of("rule shallow")
    trainer.train(config, tmp_path / "whole", quiet=True)
    killed(monkeypatch, config, tmp_path / "killed", 1, before=True, seconds=1e9)
    assert len(RunFolder(tmp_path / "killed").read_metrics()) == 1 and checkpoint.load(tmp_path / "killed") is None
    trainer.train(config, tmp_path / "killed", quiet=True, resume=True)
    check_same(tmp_path / "killed", tmp_path / "whole")


def test_a_finished_run_that_goes_on_stays_what_it_is(tmp_path: Path) -> None:
    config = config_of("rule shallow")
    trainer.train(config, tmp_path / "run", quiet=True)
    before = told(RunFolder(tmp_path / "run"))
    trainer.train(config, tmp_path / "run", quiet=True, resume=True)
    assert told(RunFolder(tmp_path / "run")) == before


def test_seconds_of_learning_add_up_over_a_stop(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    config = config_of("rule shallow")
    killed(monkeypatch, config, tmp_path / "run", EPOCH + 2)
    kept = checkpoint.load(tmp_path / "run")
    assert kept is not None and (kept.state["epoch"], kept.state["batch"]) == (1, 1)
    (row,) = RunFolder(tmp_path / "run").read_metrics()
    result = trainer.train(config, tmp_path / "run", quiet=True, resume=True)
    rows = RunFolder(tmp_path / "run").read_metrics()
    assert 0 < row["train_seconds"] < kept.state["seconds"] < rows[1]["train_seconds"]
    assert result["train_seconds"] == rows[1]["train_seconds"] and rows[0] == row


def test_validation_accuracies_from_before_a_stop_are_kept(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    config = config_of("rule shallow")
    killed(monkeypatch, config, tmp_path / "run", EPOCH + 2)
    killed(monkeypatch, config, tmp_path / "run", EPOCH)
    kept, rows = checkpoint.load(tmp_path / "run"), RunFolder(tmp_path / "run").read_metrics()
    assert kept is not None and len(rows) == 2
    assert kept.state["validation"] == [row["validation_accuracy"] for row in rows]


def learner_of(way: str, seed: int) -> Learner:
    config = config_of(way, seed=seed)
    settled = RULES.make(config.rule).settle(config)
    return Learner(settled.net, input_shape=(1, 6, 6), classes=3, **settled.learner_settings())


def batch_of(learner: Learner, seed: int) -> tuple[Series, torch.Tensor]:
    random = torch.Generator().manual_seed(seed)
    return Series(torch.rand(6, 1, 6, 6, generator=random) * 2, True), torch.randint(0, 3, (6,), generator=random)


@pytest.mark.parametrize("way", [way for way in WAYS if not way.startswith(("rates", "drawn spikes"))])
def test_everything_in_a_state_comes_back_in_another_learner(way: str) -> None:
    learner, other = learner_of(way, 0), learner_of(way, 1)
    for seed in range(2):
        learner.step(*batch_of(learner, seed))
    other.step(*batch_of(other, 9))
    state = learner.state()
    kept = {name: value.clone() for name, value in state.items()}
    other.load(state)
    found = other.state()
    assert found.keys() == state.keys()
    for name, value in state.items():
        assert found[name].dtype == value.dtype and torch.equal(found[name], value), name
    # It is a copy, and what is learned after it is the same.
    for seed in (5, 6):
        assert learner.step(*batch_of(learner, seed)) == other.step(*batch_of(other, seed))
    for name, value in learner.state().items():
        assert torch.equal(other.state()[name], value), name
    assert torch.equal(learner.scores(batch_of(learner, 7)[0]), other.scores(batch_of(other, 7)[0]))
    for name, value in kept.items():
        assert torch.equal(state[name], value) and torch.equal(found[name], value), name
