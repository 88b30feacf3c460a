"""`compare`: it trains every rule with every seed, collects the results, and can resume an interrupted comparison."""

from __future__ import annotations

import logging
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from neurorules.compare.controls import with_controls
from neurorules.compare.folds import in_folds, seeds_of
from neurorules.compare.gather import gather
from neurorules.compare.many_runs import prepare_folder, run_all
from neurorules.compare.rows import check_words, folder_name, name_of, on_path, parse_rows
from neurorules.contracts.data_set import DataPlace
from neurorules.disk.lock import owned_folder
from neurorules.exchange.imported import Imported
from neurorules.language.config import SettledConfig, TrainConfig, path_of
from neurorules.language.errors import UserError
from neurorules.language.options import parse_list
from neurorules.language.ranges import Jobs, Seeds, check_range
from neurorules.runner.dispatch import settle
from neurorules.runner.given_net import check_modules
from neurorules.runs.launch import check_alone

OF_ROWS = ("rule", "hardware", "path")
"""Settings of a run that a comparison takes as lists: rules, hardware, paths."""
_log = logging.getLogger(__name__)


class Planned(NamedTuple):
    """One run of a comparison: the name of its row, and its configuration."""

    row: str
    config: SettledConfig

    def folder(self, out: Path) -> Path:
        """The folder of this run below the folder of the comparison; each row and seed has its own."""
        return out / folder_name(self.row) / f"seed{self.config.seed}"

    def standing_folder(self, out: Path) -> Path:
        """The folder of this run, or the folder with the older name of the path, if only that exists."""
        folder = self.folder(out)
        older = self._replace(row=self.row.replace(" @ continuous", " @ brian2")).folder(out)
        return older if older.exists() and not folder.exists() else folder


def plan(
    config: TrainConfig,
    rules: str,
    seeds: int,
    hardware: str = "none",
    paths: str | None = None,
    controls: str = "none",
    folds: int | None = None,
) -> list[Planned]:
    """Plan one run for each row, path, hardware and seed; controls come last. Duplicate rows are run once.

    Args:
        config: the settings that all runs share. Its signal may name several, comma-separated, each for a row of its
            own.
        rules: comma-separated rules with options and settings of their own (see `rows.parse_row`).
        seeds: number of seeds, which count up from the seed of the configuration.
        hardware: comma-separated device models, or none.
        paths: torch or continuous, comma-separated; None for the path of the configuration.
        controls: comma-separated controls, or none (see `controls.with_controls`).
        folds: number of folds of a cross-validation, in which each seed tests one fold; None for the data's own parts.

    Returns:
        The runs, in the order of the table.

    Raises:
        UserError: there is no rule, a rule or control is unknown, there are fewer than one seed, two rows would share a
            folder, both seeds and folds are given, or the data set has no folds.
    """
    check_range("--seeds", seeds, Seeds)
    if folds is not None:
        seeds = seeds_of(folds, seeds)
    routes = [config.path] if paths is None else [path_of(name) for name in parse_list(paths)]
    # On both paths, a batch size that all rows share is that of the rows in torch.
    shared = {route: on_path(config, route) if "torch" in routes else replace(config, path=route) for route in routes}
    if any(own.batch_size != config.batch_size for own in shared.values()):
        _log.warning(
            "--batch-size %d is for the rows of torch: in continuous time weights change after every sample",
            config.batch_size,
        )
    of_path = {route: parse_rows(rules, own) for route, own in shared.items()}
    rows = [row for same in zip(*of_path.values(), strict=True) for row in same]
    check_modules(config, rows)
    runs = [
        settle(replace(row, hardware=device, seed=config.seed + seed))
        for row in with_controls(rows, config, controls)
        for device in parse_list(hardware)
        for seed in range(seeds)
    ]
    runs = runs if folds is None else in_folds(runs, folds, config.seed)
    planned = with_names(runs, config)
    check_folders(planned)
    return planned


def with_names(runs: Sequence[SettledConfig], shared: TrainConfig) -> list[Planned]:
    """Name runs by their rows, each once, after a check that the parts that they name exist.

    Args:
        runs: the configurations.
        shared: the settings that all of them share, which the names leave out.

    Returns:
        The runs in their order, each with the name of its row.

    Raises:
        UserError: a part is unknown (see `rows.check_words`).
    """
    for run in runs:
        check_words(run)
    return [Planned(name_of(run.as_dict(), shared), run) for run in dict.fromkeys(runs)]


def check_folders(planned: Sequence[Planned]) -> None:
    """Check that every run has a folder of its own.

    Raises:
        UserError: two rows would share a folder.
    """
    rows: dict[Path, str] = {}
    for run in planned:
        folder = run.folder(Path())
        if folder in rows:
            raise UserError(f"rows '{rows[folder]}' and '{run.row}' would share the folder {folder}. Leave one out")
        rows[folder] = run.row


def command_line(config: TrainConfig, out: Path, command: str = "compare", **options: Any) -> str:
    """The shell command that repeats a comparison or a run.

    It contains every setting that has a value, including today's defaults, so that later defaults change nothing.
    Settings that were left to each rule are left out here; the `config.json` of each run has their values.

    Args:
        config: the settings that all runs share.
        out: folder of the comparison.
        command: the name of the command.
        options: the options of the command itself, by name; those that are None are left out.

    Returns:
        One line, quoted for a shell.
    """
    words = ["neurorules", command]
    for name, value in _said(config, out, options).items():
        words += [f"--{name.replace('_', '-')}", str(value)]
    return shlex.join(words)


def python_line(config: TrainConfig, out: Path, brought: Sequence[str], **options: Any) -> str:
    """The Python call that repeats a comparison whose data or net were Python objects, for which there is no shell
    command.

    Args:
        config, out, options: as in `command_line`.
        brought: the Python objects, "data" and "net", which the reader passes again.

    Returns:
        One line of Python.
    """
    objects = {name: "(train, test)" if name == "data" else name for name in brought}
    said = _said(config, out, options)
    first = [repr(str(said.pop(name))) for name in ("rules", "out")]
    settings = {name: repr(value) for name, value in said.items()} | objects
    return f"neurorules.compare({', '.join([*first, *(f'{name}={value}' for name, value in settings.items())])})"


def _said(config: TrainConfig, out: Path, options: Mapping[str, Any]) -> dict[str, Any]:
    """Options of the command and settings by name, those that have a value."""
    settings = {name: value for name, value in config.as_dict().items() if name not in OF_ROWS}
    return {name: value for name, value in {**options, **settings, "out": out}.items() if value is not None}


def compare(
    planned: Sequence[Planned],
    out: Path,
    *,
    jobs: int = 1,
    dask: str | None = None,
    data_dir: DataPlace = None,
    force: bool = False,
    resume: bool = False,
    quiet: bool = False,
    command: str = "",
    net: Imported | None = None,
) -> dict[str, Any]:
    """Train all configurations into folders below `out`, measure them, and write `compare.json` and its CSV files.

    Args:
        planned: the runs, from `plan`.
        out: folder of the comparison.
        jobs: number of processes at once; with more than one, each run has one thread.
        dask: the address of a Dask scheduler that distributes the runs, and whose workers can access `out`; None for
            none.
        data_dir: folder of the data sets, None for the default folder; or the data set itself.
        force: replace an older comparison in `out`.
        resume: keep finished runs of the same configuration, and continue interrupted ones.
        quiet: show no progress bars.
        command: the shell line that repeats the comparison.
        net: the net of all runs if it is made of modules; None for a net that is given as text.

    Returns:
        The content of `compare.json`.

    Raises:
        UserError: `out` holds another comparison, or one with other settings; torchrun has started several ranks.
    """
    check_alone("compare")
    check_range("--jobs", jobs, Jobs)
    tasks = [(run.config, run.standing_folder(out)) for run in planned]
    with owned_folder(out):
        prepare_folder(out, [folder for _, folder in tasks], force, resume, "*/*", "compare")
        results = run_all(
            tasks, out, jobs=jobs, dask=dask, data_dir=data_dir, quiet=quiet, command="compare", measured=True,
            net=net,
        )  # fmt: skip
        finished = [(run.row, result, run.folder(out)) for run, result in zip(planned, results, strict=True)]
        return gather(finished, out, command)
