"""Learning rates of a benchmark, chosen for each rule and for frozen layers by their accuracy on validation samples.

Every row of a task gets the same number of trials. The first trial has the row's own rates; the others multiply them by
factors that cover the range evenly on a logarithmic scale (see `compare.tuning.proposals.Draws`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from neurorules.benchmark.planning import Cell, TaskPlan
from neurorules.compare.tuning.rows import Row, check_row
from neurorules.compare.tuning.searching import Search, run_search
from neurorules.compare.tuning.space import HIDDEN_ONLY, Range, Space
from neurorules.compare.tuning.stored import Form
from neurorules.compare.tuning.trials import Searched
from neurorules.contracts.target import FIGURES_OF
from neurorules.datasets import open_dataset
from neurorules.rules import RULES
from neurorules.runner.dispatch import settle, with_data
from neurorules.runs.interrupt import Interrupted
from neurorules.runs.plain_json import plain

RATES = ("lr", "readout_lr")
"""The settings that are chosen: the learning rates of hidden layers and of the read-out."""
FACTOR = 30.0
"""The largest factor between a row's own rate and one that is tried, upwards and downwards."""
FORM = Form("benchmark-rates", "neurorules benchmark", "choosing rates", 1)


def choose_rates(
    plans: Sequence[TaskPlan],
    out: Path,
    trials: int,
    *,
    jobs: int = 1,
    dask: str | None = None,
    data_dir: Path | None = None,
    force: bool = False,
    resume: bool = False,
    quiet: bool = False,
) -> list[TaskPlan]:
    """Choose the learning rates of all rows on each task. Test samples are never read.

    Args:
        plans: the tasks, from `planning.plan_suite` with `rates_open`.
        out: folder of the benchmark; the trials of a task are kept below it in `TASK-rates`.
        trials: number of trials of each row, >= 1.
        jobs, dask, data_dir, force, resume, quiet: as in `compare.comparison.compare`.

    Returns:
        The tasks, whose cells have the chosen rates. Rates that a row's text or the task gives stay as they are.

    Raises:
        UserError: no samples are held out, or the folder holds another search.
        Interrupted: the user stopped it; finished trials are kept.
    """
    chosen = []
    for plan in plans:
        search = search_of(plan, trials, data_dir)
        if search.rows:
            try:
                best = run_search(
                    search, out / f"{plan.task.name}-rates", _best, jobs=jobs, dask=dask, force=force, resume=resume,
                    quiet=quiet,
                )["chosen"]  # fmt: skip
            except Interrupted:
                raise Interrupted(
                    f"stopped. Finished trials are kept in {out}. "
                    f"Go on with the same options and: neurorules benchmark --out {out} --resume"
                ) from None
            plan = with_chosen(plan, best)
        chosen.append(plan)
    return chosen


def search_of(plan: TaskPlan, trials: int, data_dir: Path | None) -> Search:
    """The search of one task.

    Args:
        plan: the task and its cells.
        trials: number of trials of each row.
        data_dir: the folder of the data sets; None for the default folder.

    Returns:
        The search, whose rows are the cells of rules and of frozen layers that have a rate left to choose.

    Raises:
        UserError: no training samples are held out.
    """
    shared, place = with_data(plan.task.config, data_dir)
    source = open_dataset(shared.data, place)
    rows = {
        cell.rule: Row(cell.base, space)
        for cell in plan.cells
        if cell.runs and cell.kind != "shuffled time" and (space := space_around(cell))
    }
    for row in rows.values():
        check_row(row, source)
    return Search(
        form=FORM,
        rows=rows,
        content={"factor": FACTOR, "data_checksum": source.checksum, "settings": plain(shared.as_dict())},
        trials=trials,
        seeds=1,
        seed=shared.seed,
        place=place,
        figure=FIGURES_OF[source.task][0],
        method="random",
    )


def space_around(cell: Cell) -> Space:
    """The rates to try for one row: those that are not given, up to `FACTOR` times its own ones and down to a
    `FACTOR`-th of them.

    Args:
        cell: the row, whose `runs` have its own rates.

    Returns:
        The range of each rate; without that of hidden layers if they do not learn.
    """
    frozen = RULES.make(cell.base.rule).control
    open_rates = [n for n in RATES if getattr(cell.base, n) is None and not (frozen and n in HIDDEN_ONLY)]
    own = {name: float(getattr(cell.runs[0].config, name)) for name in open_rates}
    return {name: Range(rate / FACTOR, rate * FACTOR, log=True) for name, rate in own.items() if rate > 0}


def with_chosen(plan: TaskPlan, chosen: Mapping[str, Mapping[str, Any]]) -> TaskPlan:
    """A task whose cells have the rates that a search chose.

    Args:
        plan: the task and its cells.
        chosen: `rates` and `at_the_edge` of each row of the search; a row without any keeps its own rates.

    Returns:
        The task. Samples that are shuffled in time are learned with the rates of the same rule.
    """
    names: dict[str, str] = {}
    cells = []
    for cell in plan.cells:
        best = chosen.get(cell.rule) if cell.runs else None
        new = cell if best is None else cell.with_rates(best["rates"], best["at_the_edge"])
        names |= {cell.rule: new.rule} if cell.kind == "frozen" else {}
        cells.append(new)
    renamed = (replace(cell, frozen=names.get(cell.frozen or "", cell.frozen)) for cell in cells)
    return replace(plan, cells=tuple(renamed))


def _best(searched: Sequence[Searched]) -> dict[str, Any]:
    """The rates of the best trial of each row, by the name of the row, for the file of the search."""
    chosen = {}
    for one in searched:
        best = one.best or {}
        whole = settle(replace(one.row, **best["settings"]))
        rates = {name: getattr(whole, name) for name in one.space}
        edge = [n for n, dimension in one.space.items() if n in best["settings"] and dimension.is_edge(rates[n])]
        chosen[one.name] = {"rates": rates, "at_the_edge": edge, one.mean: best[one.mean]}
    return {"chosen": chosen}
