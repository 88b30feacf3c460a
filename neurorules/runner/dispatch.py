"""One name for training on either path: torch steps, or equations in Brian2."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from neurorules.language.config import SettledConfig, TrainConfig
from neurorules.language.errors import UserError
from neurorules.rules import RULES
from neurorules.torch_path.training.batches import load_training_data
from neurorules.torch_path.training.checks import Diverged

if TYPE_CHECKING:
    from neurorules.torch_path.training.watch import Watcher


def settle(config: TrainConfig) -> SettledConfig:
    """The configuration with what rule and path fill in where the user left it open.

    Raises:
        UserError: an unknown rule, or one that the path does not run.
    """
    if config.path == "continuous":
        from neurorules.brian2_continuous.trainer import settle as settle_circuit

        return settle_circuit(config)
    return RULES.make(config.rule).settle(config)


def validation_accuracies(config: TrainConfig, seeds: int, data_dir: Path | None) -> list[float]:
    """Train a configuration with several seeds, and keep nothing but what held-out training samples say.

    No test sample is read: what is trained on holds none.

    Args:
        config: what to train; its seed is the first one.
        seeds: how many, >= 1.
        data_dir: where data sets lie.

    Returns:
        The last epoch's validation accuracy of each seed, in 0..1; 0 where a number was no longer finite.

    Raises:
        UserError: a mistake in the configuration, or nothing is held out.
    """
    if config.path == "continuous":
        from neurorules.brian2_continuous.trainer import validation_accuracy
    else:
        from neurorules.torch_path.training.trainer import validation_accuracy
    data = load_training_data(settle(config), data_dir)
    found = []
    for seed in range(seeds):
        try:
            accuracy = validation_accuracy(replace(config, seed=config.seed + seed), data)
        except Diverged:
            accuracy = 0.0
        if accuracy is None:
            raise UserError("no training sample is held out to choose by. Leave --validation out, or give it a number")
        found.append(accuracy)
    return found


def train(
    config: TrainConfig,
    out: Path | None = None,
    *,
    data_dir: Path | None = None,
    resume: bool = False,
    force: bool = False,
    quiet: bool = False,
    watchers: Sequence[Watcher] = (),
) -> dict[str, Any]:
    """Train one network on the path its configuration names (see `torch_path.training.trainer.train`).

    Args:
        watchers: look on where torch runs it; equations in continuous time have nobody between epochs.
    """
    if config.path == "continuous":
        from neurorules.brian2_continuous.trainer import train as run_circuit

        return run_circuit(config, out, data_dir=data_dir, resume=resume, force=force, quiet=quiet)
    from neurorules.torch_path.training.trainer import train as run

    return run(config, out, data_dir=data_dir, resume=resume, force=force, quiet=quiet, watchers=watchers)
