"""One name for training on either path: torch steps, or equations in Brian2."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from neurorules.language.config import SettledConfig, TrainConfig
from neurorules.rules import RULES

if TYPE_CHECKING:
    from neurorules.torch_path.watch import Watcher


def settle(config: TrainConfig) -> SettledConfig:
    """The configuration with what rule and path fill in where the user left it open.

    Raises:
        UserError: an unknown rule, or one that the path does not run.
    """
    if config.path == "brian2":
        from neurorules.brian2_path.trainer import settle as settle_circuit

        return settle_circuit(config)
    return RULES.make(config.rule).settle(config)


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
    """Train one network on the path its configuration names (see `torch_path.trainer.train`).

    Args:
        watchers: look on where torch runs it; equations in continuous time have nobody between epochs.
    """
    if config.path == "brian2":
        from neurorules.brian2_path.trainer import train as run_circuit

        return run_circuit(config, out, data_dir=data_dir, resume=resume, force=force, quiet=quiet)
    from neurorules.torch_path.trainer import train as run

    return run(config, out, data_dir=data_dir, resume=resume, force=force, quiet=quiet, watchers=watchers)
