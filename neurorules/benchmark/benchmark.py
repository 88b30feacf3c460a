"""`benchmark`: tries every rule on every task of a suite, and writes the table, its data and a page of both."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from neurorules.benchmark.family import family_of
from neurorules.benchmark.page import page_of
from neurorules.benchmark.planning import Cell, TaskPlan
from neurorules.benchmark.rates import choose_rates
from neurorules.benchmark.suite import Suite
from neurorules.compare.gather import machine
from neurorules.compare.many_runs import prepare_folder, run_all, run_one
from neurorules.compare.table import mean_and_spread
from neurorules.disk.lock import owned_folder
from neurorules.language.version import own_version
from neurorules.runs.atomic import write_text
from neurorules.runs.plain_json import plain, to_json
from neurorules.torch_path.training.checks import Diverged

FORMAT, VERSION = "neurorules-benchmark", 1
RESULT_FILE, PAGE_FILE = "benchmark.json", "benchmark.md"
DIVERGED = "diverged"
"""The key of the message that replaces the result of a run whose numbers were no longer finite."""

Results = Mapping[Path, dict[str, Any]]
"""The results of runs, by their folders."""


def benchmark(
    suite: Suite,
    plans: Sequence[TaskPlan],
    out: Path,
    *,
    trials: int = 0,
    jobs: int = 1,
    dask: str | None = None,
    data_dir: Path | None = None,
    force: bool = False,
    resume: bool = False,
    quiet: bool = False,
    command: str = "",
) -> dict[str, Any]:
    """Train all cells into folders below `out`, and write `benchmark.json` and `benchmark.md`.

    Args:
        suite: the suite whose tasks are trained.
        plans: its tasks and their cells, from `planning.plan_suite`; with `rates_open` if there are trials.
        out: folder of the benchmark.
        trials: number of trials in which learning rates are chosen for each row (`rates.choose_rates`); 0 for the
            rules' own rates.
        jobs, dask, data_dir, force, resume, quiet: as in `compare.comparison.compare`.
        command: the shell line that repeats it.

    Returns:
        The content of `benchmark.json` (docs/benchmark.md).

    Raises:
        UserError: `out` holds other runs, or runs with other settings.
    """
    with owned_folder(out):
        prepare_folder(out, (), force, resume, "*/*/*", "benchmark")
        how: dict[str, Any] = {"jobs": jobs, "dask": dask, "data_dir": data_dir, "quiet": quiet}
        if trials:
            plans = choose_rates(plans, out, trials, force=force, resume=resume, **how)
        runs = {cell.folder(out, run): run.config for plan in plans for cell in plan.cells for run in cell.runs}
        tasks = [(config, folder) for folder, config in runs.items()]
        results = run_all(tasks, out, command="benchmark", one=run_or_diverge, **how)
        whole = gather(suite, plans, dict(zip(runs, results, strict=True)), out, command, trials)
        content: dict[str, Any] = plain(whole)
        write_text(out / RESULT_FILE, to_json(content, indent=2) + "\n")
        write_text(out / PAGE_FILE, page_of(content))
        return content


def run_or_diverge(*arguments: Any, **named: Any) -> dict[str, Any]:
    """Train one run by `compare.many_runs.run_one`; if it diverges, the other runs continue.

    Args:
        arguments, named: the arguments of `run_one`.

    Returns:
        The run's result, or under `DIVERGED` the line that says where its numbers were no longer finite.
    """
    try:
        return run_one(*arguments, **named)
    except Diverged as error:
        return {DIVERGED: str(error)}


def gather(
    suite: Suite, plans: Sequence[TaskPlan], results: Results, out: Path, command: str, trials: int = 0
) -> dict[str, Any]:  # fmt: skip
    """Collect the results of all cells.

    Args:
        suite, plans, out, command, trials: as in `benchmark`.
        results: the results of all runs.

    Returns:
        The content of `benchmark.json`.
    """
    cells = [_cell(cell, results, out) for plan in plans for cell in plan.cells]
    finished = [result for result in results.values() if DIVERGED not in result]
    return {
        "format": FORMAT,
        "format_version": VERSION,
        "title": suite.title,
        "notes": list(suite.notes),
        "command": command,
        "trials": trials,
        "date": datetime.now(UTC).date().isoformat(),
        "versions": finished[0]["versions"] if finished else {"neurorules": own_version()},
        "machine": machine(finished),
        "tasks": [_task(plan, results, out) for plan in plans],
        "cells": _with_differences(cells),
        "rules": family_of(_one_run_of_each(plans, results, out)),
    }


def _task(plan: TaskPlan, results: Results, out: Path) -> dict[str, Any]:
    """A task as `benchmark.json` holds it: its settings, and the samples of its runs."""
    places = [cell.folder(out, run) for cell in plan.cells for run in cell.runs if cell.kind != "shuffled time"]
    first = next((results[place] for place in places if DIVERGED not in results[place]), {})
    parts = ("train_samples", "validation_samples", "test_samples")
    changed = {name: value for name, value in plan.task.config.as_dict().items() if value is not None}
    return {
        "name": plan.task.name,
        "what": plan.task.what,
        "chance": 1 / plan.classes,
        "settings": changed,
        **{part: first.get(part) for part in parts},
    }


def _cell(cell: Cell, results: Results, out: Path) -> dict[str, Any]:
    """A cell as `benchmark.json` holds it."""
    runs = [results[cell.folder(out, run)] for run in cell.runs]
    finished = [run for run in runs if DIVERGED not in run]
    whole = bool(runs) and len(finished) == len(runs)
    mean, spread = mean_and_spread([run["test_accuracy"] for run in runs]) if whole else (None, None)
    validation = [run["validation_accuracy"] for run in finished if run["validation_accuracy"] is not None]
    return {
        "task": cell.task,
        "rule": cell.rule,
        "kind": cell.kind,
        "frozen": cell.frozen,
        "refusal": cell.refusal or next((run[DIVERGED] for run in runs if DIVERGED in run), None),
        "rates": cell.rates,
        "at_the_edge": cell.at_the_edge,
        "diverged": len(runs) - len(finished),
        "seeds": [run.config.seed for run in cell.runs],
        "test_accuracies": [run.get("test_accuracy") for run in runs],
        "test_accuracy": mean,
        "spread": spread,
        "validation_accuracy": statistics.mean(validation) if whole and validation else None,
        "train_seconds": statistics.mean(run["train_seconds"] for run in finished) if whole else None,
        "spikes_per_sample": statistics.mean(run["spikes_per_sample"] for run in finished) if whole else None,
        "folders": [cell.folder(out, run).relative_to(out).as_posix() for run in cell.runs],
    }


def _with_differences(cells: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The cells, each with the difference to its frozen layers, paired by seed: `over_frozen` and its spread."""
    frozen = {(cell["task"], cell["rule"]): cell for cell in cells if cell["kind"] == "frozen"}
    result = []
    for cell in cells:
        other = frozen.get((cell["task"], cell["frozen"]))
        mean, spread = None, None
        if other is not None and cell["test_accuracy"] is not None and other["test_accuracy"] is not None:
            pairs = zip(cell["test_accuracies"], other["test_accuracies"], strict=True)
            mean, spread = mean_and_spread([mine - theirs for mine, theirs in pairs])
        result.append({**cell, "over_frozen": mean, "over_frozen_spread": spread})
    return result


def _one_run_of_each(plans: Sequence[TaskPlan], results: Results, out: Path) -> dict[str, dict[str, Any] | None]:
    """The settings of one run of each row of rules, by the text of the row; None without runs."""
    runs: dict[str, dict[str, Any] | None] = {}
    for cell in (cell for plan in plans for cell in plan.cells if cell.kind == "rule"):
        result = next((results[cell.folder(out, run)] for run in cell.runs), None)
        usable = result if result is not None and DIVERGED not in result else None
        runs[cell.rule] = runs.get(cell.rule) or usable
    return runs
