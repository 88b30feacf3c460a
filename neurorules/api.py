"""The one-line forms: `neurorules.train(...)` and `neurorules.compare(...)`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from neurorules.compare.comparison import command_line, plan
from neurorules.compare.comparison import compare as compare_configs
from neurorules.compare.paths import train as train_config
from neurorules.language.config import config_from


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
        out: run folder; None keeps nothing but the result.
        data_dir: where data sets lie.
        resume: go on with the run in `out`.
        force: replace a run in `out`.
        quiet: no progress bar.
        settings: any field of `neurorules.language.config.TrainConfig`, such as rule="sigprop".

    Returns:
        The result: test_accuracy and validation_accuracy in 0..1, and all that `result.json` holds.

    Raises:
        UserError: anything unknown, or data that cannot be read.
    """
    where = None if data_dir is None else Path(data_dir)
    config = config_from(settings, "train(...)")
    folder = None if out is None else Path(out)
    return train_config(config, folder, data_dir=where, resume=resume, force=force, quiet=quiet)


def compare(
    rules: str,
    out: str | Path,
    *,
    seeds: int = 1,
    folds: int | None = None,
    jobs: int = 1,
    dask: str | None = None,
    hardware: str = "none",
    controls: str = "shallow,shuffled",
    data_dir: str | Path | None = None,
    force: bool = False,
    resume: bool = False,
    quiet: bool = True,
    **settings: Any,
) -> dict[str, Any]:
    """Train every rule with every seed on the same net, data order and initial weights.

    Args:
        rules: comma-separated, with options and settings of their own, such as "sigprop:form=voltage,bptt@lr=0.001".
        out: folder for the runs, `compare.json` and its CSV files.
        seeds: how many.  folds: cross-validate with so many instead, where the data set comes in folds.
        jobs, dask: processes at once, or a scheduler.  hardware: comma-separated device models.
        controls: comma-separated: shallow, shuffled; or none.
        data_dir, force, resume, quiet: as in `train`.
        settings: as in `train`, for all runs.

    Raises:
        UserError: anything unknown, or `out` holds another comparison.
    """
    where = None if data_dir is None else Path(data_dir)
    config = config_from(settings, "compare(...)")
    command = command_line(
        config, Path(out), rules=rules, seeds=seeds, folds=folds, hardware=hardware, controls=controls
    )
    return compare_configs(
        plan(config, rules, seeds, hardware, None, controls, folds), Path(out), jobs=jobs, dask=dask, data_dir=where,
        force=force, resume=resume, quiet=quiet, command=command,
    )  # fmt: skip
