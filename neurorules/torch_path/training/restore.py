"""A trained network, read back from its run folder."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from neurorules.language.config import SettledConfig, config_from, in_todays_words
from neurorules.language.errors import UserError
from neurorules.rules import RULES
from neurorules.runs.folder import RunFolder
from neurorules.torch_path.process.session import own_session
from neurorules.torch_path.training.batches import Data, load_data
from neurorules.torch_path.training.learner import Learner
from neurorules.torch_path.training.trainer import make_learner


class Restored(NamedTuple):
    """A finished run.

    Args:
        config: its configuration.
        data: its data, test samples included.
        learner: as training left it.
    """

    config: SettledConfig
    data: Data
    learner: Learner


@own_session()
def restore(run: Path, data_dir: Path | None = None, **changed: Any) -> Restored:
    """Load a finished run.

    Args:
        run: its folder.
        data_dir: where data sets lie; None for the usual place.
        changed: settings to run it with instead of its own, such as device="cpu" or precision="float64".

    Returns:
        Configuration, data and trained network.

    Raises:
        UserError: no finished run there, its files do not belong together, or its data cannot be read.
    """
    folder = RunFolder.finished(run)
    if in_todays_words(folder.config()).get("path") == "continuous":
        raise UserError(
            f"the run in {run} learned in continuous time, and its weights belong to that model. Give a run of "
            f"--path torch"
        )
    stored = replace(config_from(folder.config(), str(run)), **changed)
    config = RULES.make(stored.rule).settle(stored)
    data = load_data(config, data_dir)
    learner = make_learner(config, data)
    try:
        learner.load(folder.load_weights(), weights_only=True)
    except UserError as error:
        raise UserError(f"the weights in {run} cannot be taken over: {error}") from None
    return Restored(config, data, learner)
