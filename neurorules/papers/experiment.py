"""Tables of a paper whose rows are experiments of their own: a network and a way to learn that no configuration
describes.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import joblib

from neurorules.compare.table import mean_and_spread
from neurorules.language.errors import UserError
from neurorules.language.ranges import Jobs, check_range
from neurorules.papers.published import Published
from neurorules.runs.atomic import write_text
from neurorules.runs.interrupt import Interrupted
from neurorules.runs.orphans import stopped_without_parent
from neurorules.runs.other_process import as_here
from neurorules.runs.plain_json import plain, read_json, to_json
from neurorules.runs.progress import track

EXPERIMENT_FILE = "experiment.json"
"""The file in the folder of a run with its settings and its result, which is written last."""
Run = Callable[[Any, Path, Path | None, bool], dict[str, Any]]
"""A function that runs an experiment, given its settings, its folder, the folder of the data sets, and whether to be
quiet. Its result has test_accuracy in 0..1, and seconds."""


@dataclass(frozen=True)
class Experiment:
    """One line of a table.

    Args:
        label: in the paper's words, such as "100 neurons".
        settings: a frozen dataclass with at least data, seed, epochs and limit; its seed is the first of the seeds.
        published: the number in the paper; None if there is none.
    """

    label: str
    settings: Any
    published: Published | None = None


@dataclass(frozen=True)
class Experiments:
    """A table of experiments of one kind, which share a data set.

    Args:
        title: the title of the table.
        rows: its lines.
        run: the function that runs one of them. It must belong to a module, so that another process can import it.
        columns: further columns, by title: functions from the results of a row's runs to the text of its cell.
    """

    title: str
    rows: tuple[Experiment, ...]
    run: Run
    columns: Mapping[str, Callable[[Sequence[dict[str, Any]]], str]]

    @property
    def data(self) -> str:
        """The data set of the rows."""
        return str(self.rows[0].settings.data)


Task = tuple[Run, Any, Path]
"""A run to perform: the function, its settings and its folder."""


def perform(tasks: Sequence[Task], out: Path, jobs: int, data_dir: Path | None, quiet: bool) -> None:
    """Run experiments, each into a folder of its own; finished ones are not run again.

    Args:
        tasks: the runs.
        out: the folder above theirs.
        jobs: number of processes at once.
        data_dir: folder of the data sets, None for the default folder.
        quiet: show no progress bars.

    Raises:
        UserError: an existing run has other settings.
        Interrupted: the user stopped it; finished runs are kept.
    """
    check_range("--jobs", jobs, Jobs)
    open_tasks = [task for task in tasks if not _is_finished(*task[1:])]
    apart = jobs > 1
    call = as_here(_perform_one) if apart else _perform_one
    own = (data_dir and data_dir.absolute(), quiet or apart, os.getpid())
    calls = (joblib.delayed(call)(run, settings, folder.absolute(), *own) for run, settings, folder in open_tasks)
    try:
        pool = joblib.Parallel(n_jobs=min(jobs, max(1, len(open_tasks))), return_as="generator")
        for _ in track(pool(calls), "experiments", len(open_tasks), quiet):
            pass
    except KeyboardInterrupt:
        raise Interrupted(
            f"stopped. Finished runs are kept in {out}. "
            f"Go on with the same options and: neurorules reproduce --out {out} --resume"
        ) from None


def _is_finished(settings: Any, folder: Path) -> bool:
    """Whether a run is finished.

    Raises:
        UserError: it has other settings.
    """
    file = folder / EXPERIMENT_FILE
    if not file.exists():
        return False
    stored, wanted = _read(file)["settings"], plain(vars(settings))
    if stored != wanted:
        names = [name for name in wanted if stored.get(name) != wanted[name]]
        raise UserError(
            f"the run in {folder} was made with another {', '.join(names)}. Ask for the same, give another --out, or "
            f"leave --resume out and add --force"
        )
    return True


def _read(file: Path) -> dict[str, Any]:
    """The settings and the result of a finished run.

    Raises:
        UserError: the file is damaged.
    """
    content = read_json(file)
    if not isinstance(content, dict) or not all(isinstance(content.get(key), dict) for key in ("settings", "result")):
        raise UserError(f"{file} is damaged. Remove it, and run the command again with --resume")
    return content


def _perform_one(run: Run, settings: Any, folder: Path, data_dir: Path | None, quiet: bool, parent: int) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    with stopped_without_parent(parent):
        result = run(settings, folder, data_dir, quiet)
    write_text(folder / EXPERIMENT_FILE, to_json({"settings": vars(settings), "result": result}, indent=2) + "\n")


def seeded(row: Experiment, seeds: int, changed: Mapping[str, Any]) -> list[Any]:
    """The settings of all seeds of a row.

    Args:
        row: a row of a table.
        seeds: the number of seeds, >= 1.
        changed: settings that replace those of the row.

    Returns:
        The settings for each seed.
    """
    return [replace(row.settings, **changed, seed=row.settings.seed + seed) for seed in range(seeds)]


def gather(table: Experiments, row: Experiment, home: Path) -> dict[str, Any]:
    """The results of one row over its seeds, including those of earlier calls, in the form of a row of training runs.

    Args:
        table: the table of the row.
        row: the row whose results are read.
        home: the folder above those of the seeds.

    Returns:
        label, published, seeds, epochs, test_accuracy and spread in 0..1, seconds and measures.
    """
    files = sorted(home.glob(f"seed*/{EXPERIMENT_FILE}"))
    results = [_read(file)["result"] for file in files]
    mean, spread = mean_and_spread([one["test_accuracy"] for one in results]) if results else (None, None)
    return {
        "label": row.label,
        "published": None if row.published is None else row.published._asdict(),
        "seeds": len(results),
        "epochs": results[0]["epochs"] if results else None,
        "figure": "accuracy",
        "test_accuracy": mean,
        "spread": spread,
        "seconds": mean_and_spread([one["seconds"] for one in results])[0] if results else None,
        "measures": {title: column(results) if results else "-" for title, column in table.columns.items()},
        "results": results,
    }
