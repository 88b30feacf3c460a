"""Cross-validation in a comparison: run k of every rule has seed k, and tests fold k of the data."""

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


def seeds_of(folds: int, seeds: int) -> int:
    """How many seeds a cross-validation has: one for each fold.

    Args:
        folds: as asked for.
        seeds: as asked for beside them; 1 where nothing was.

    Raises:
        UserError: fewer than two folds, or several seeds as well.
    """
    check_range("--folds", folds, Folds)
    if seeds != 1:
        raise UserError(f"--folds {folds} is {folds} runs of each rule, each with its own seed. Leave out --seeds")
    return folds


def in_folds(configs: Sequence[SettledConfig], folds: int, first_seed: int) -> list[SettledConfig]:
    """The configurations, each with the fold of its seed as its test part.

    Args:
        configs: planned with as many seeds as there are folds.
        folds: how many.
        first_seed: seed of the run that tests fold 0.

    Raises:
        UserError: the data set does not come in folds.
    """
    for data in {config.data for config in configs}:
        check_folds(data)
    return [replace(config, data=f"{config.data}:folds={folds}:fold={config.seed - first_seed}") for config in configs]


def check_folds(data: str) -> None:
    """Whether a data set comes in folds.

    Raises:
        UserError: it does not, or its fold is named already; those that do are named.
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
    """A data set's text without the number of its fold: what the runs of a cross-validation share."""
    return FOLD.sub("", data)


def overlap_of(run: Mapping[str, Any]) -> float:
    """Test samples over training samples of a run that is one of several folds, else 0.

    Runs of different folds share most of their training samples, so their results are not independent; intervals
    count that in (`measures.statistics`).
    """
    return run["test_samples"] / run["train_samples"] if FOLD.search(str(run["data"])) else 0.0
