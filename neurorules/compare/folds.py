"""Cross-validation in a comparison: run k of every rule has seed k, and tests fold k of the data set."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from neurorules.datasets import DATASETS
from neurorules.datasets._folds import Folds
from neurorules.language.config import SettledConfig
from neurorules.language.errors import UserError
from neurorules.language.ranges import check_range, hints_of

FOLD = re.compile(r":fold=\d+")
"""The part of a data set's text with the number of its fold."""


def seeds_of(folds: int, seeds: int) -> int:
    """The number of seeds of a cross-validation, one for each fold.

    Args:
        folds: number of folds, at least 2.
        seeds: number of seeds that the user asks for beside folds; it has to be 1, the default.

    Returns:
        The number of folds.

    Raises:
        UserError: there are fewer than two folds, or several seeds as well.
    """
    check_range("--folds", folds, Folds)
    if seeds != 1:
        raise UserError(f"--folds {folds} is {folds} runs of each rule, each with its own seed. Leave out --seeds")
    return folds


def in_folds(configs: Sequence[SettledConfig], folds: int, first_seed: int) -> list[SettledConfig]:
    """Give each configuration the fold of its seed as its test part.

    Args:
        configs: configurations of as many seeds as there are folds.
        folds: number of folds.
        first_seed: seed of the run that tests fold 0.

    Returns:
        The configurations in their order, with the fold in the text of their data set.

    Raises:
        UserError: the data set does not come in folds.
    """
    for data in {config.data for config in configs}:
        check_folds(data)
    return [replace(config, data=f"{config.data}:folds={folds}:fold={config.seed - first_seed}") for config in configs]


def check_folds(data: str) -> None:
    """Check that a data set comes in folds.

    Raises:
        UserError: it does not, and the message names those that do; or its text names a fold already.
    """
    name, *options = data.strip().split(":")
    able = [other for other in DATASETS.names() if "folds" in hints_of(DATASETS.factory(other))]
    if name.replace("-", "_") not in able:
        raise UserError(
            f"--folds needs a data set that comes in folds, and '{data}' does not. These do: {', '.join(able)}. "
            "A folder of recordings is nmnist:path=FOLDER"
        )
    if any(option.startswith("fold") for option in options):
        raise UserError(f"--folds runs through all folds, and --data {data} names one. Leave it out of --data")


def without_fold(data: str) -> str:
    """The data set without the number of its fold, as all runs of a cross-validation share it."""
    return FOLD.sub("", data)


def overlap_of(run: Mapping[str, Any]) -> float:
    """The number of test samples over that of training samples, for a run that tests one of several folds; else 0.

    Runs of different folds share most of their training samples, so their results are not independent. Intervals take
    that into account (`measures.statistics`).
    """
    return run["test_samples"] / run["train_samples"] if FOLD.search(str(run["data"])) else 0.0
