"""The one-line forms: `neurorules.train(...)`, `neurorules.compare(...)` and `neurorules.load(...)`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from neurorules.compare.one_line import compare
from neurorules.language.config import TrainConfig, config_from
from neurorules.language.keywords import with_keywords
from neurorules.runner.dispatch import train as train_config
from neurorules.torch_path.process.session import own_session
from neurorules.torch_path.training.learner import Learner
from neurorules.torch_path.training.restore import restore

__all__ = ["compare", "load", "train"]


@with_keywords(TrainConfig)
@own_session()
def train(
    *,
    out: str | Path | None = None,
    data_dir: str | Path | None = None,
    resume: bool = False,
    force: bool = False,
    quiet: bool = True,
    **settings: Any,
) -> dict[str, Any]:
    """Train one network.

    Args:
        out: run folder; None to write nothing and only return the result.
        data_dir: folder in which data sets lie; None for the usual one.
        resume: go on with the run in `out`.
        force: replace a run in `out`.
        quiet: show no progress bar.
        settings: the settings below, such as rule="sigprop".

    Returns:
        The result: test_accuracy and validation_accuracy in 0..1, and all that `result.json` holds.

    Raises:
        UserError: a setting is unknown or out of its range, or the data or the run folder cannot be used.
    """
    where = None if data_dir is None else Path(data_dir)
    config = config_from(settings, "train(...)")
    folder = None if out is None else Path(out)
    return train_config(config, folder, data_dir=where, resume=resume, force=force, quiet=quiet)


def load(run: str | Path, data_dir: str | Path | None = None, **changed: Any) -> Learner:
    """The network of a finished run, ready to be run or to learn further.

    Args:
        run: folder of the run, trained on the torch path.
        data_dir: folder in which data sets lie, among them the run's; None for the usual one.
        changed: settings that replace those of the run, such as device="cpu".

    Returns:
        The learner as training left it; its optimiser starts anew.

    Raises:
        UserError: the folder holds no finished run, its files do not belong together, or its data cannot be read.
    """
    return restore(Path(run), None if data_dir is None else Path(data_dir), **changed).learner
