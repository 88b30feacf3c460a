"""The one-line form of a comparison: `neurorules.compare(...)`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from neurorules.compare.comparison import command_line, plan
from neurorules.compare.comparison import compare as compare_configs
from neurorules.language.config import config_from
from neurorules.torch_path.process.session import own_session


@own_session()
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
        seeds: how many.
        folds: cross-validate with so many instead of seeds, where the data set comes in folds.
        jobs, dask: processes at once, or the address of a Dask scheduler.
        hardware: comma-separated device models.
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
