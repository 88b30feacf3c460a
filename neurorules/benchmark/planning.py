"""The cells of a benchmark before anything is trained: the runs that each needs, or the reason why a task does not fit
a rule.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from neurorules.benchmark.suite import CONTROL, Suite, Task
from neurorules.compare.comparison import Planned, plan, with_names
from neurorules.compare.controls import frozen_beside, is_shallow
from neurorules.compare.rows import GLOBAL_RULE, parse_row
from neurorules.contracts.data_set import DataSet
from neurorules.datasets import open_dataset
from neurorules.language.config import TrainConfig
from neurorules.language.errors import UserError, unknown
from neurorules.language.options import parse_list
from neurorules.language.ranges import Seeds, check_range
from neurorules.language.registry import own_part
from neurorules.runner.dispatch import check_net, settle, with_data

Kind = Literal["rule", "frozen", "shuffled time"]
"""The kind of a cell: a rule, its frozen hidden layers, or a rule on samples that are shuffled in time."""


@dataclass(frozen=True)
class Cell:
    """One rule on one task.

    Args:
        task: name of the task.
        rule: the rule with options and settings of its own, the same on all tasks.
        kind: the kind of the cell.
        shared: the settings that all rules of the task share.
        base: the settings of the rule with the first seed, in which the rule's own settings are not filled in yet.
        runs: one for each seed; none if the task does not fit the rule.
        frozen: the name of the row of the frozen cell whose read-out learns in the same way; None if there is none.
        refusal: the reason why the task does not fit the rule; None if it does.
        rates: the learning rates that validation samples chose, by the name of the setting; None if none were chosen.
        at_the_edge: those of them that lie at the edge of what was searched.
    """

    task: str
    rule: str
    kind: Kind
    shared: TrainConfig
    base: TrainConfig
    runs: tuple[Planned, ...] = ()
    frozen: str | None = None
    refusal: str | None = None
    rates: Mapping[str, float] | None = None
    at_the_edge: tuple[str, ...] = ()

    def folder(self, out: Path, run: Planned) -> Path:
        """The folder of one of its runs.

        Args:
            out: the folder of the benchmark.
            run: one of `runs`.

        Returns:
            A folder below `out`.
        """
        return run.folder(out / (f"{self.task}-shuffled" if self.kind == "shuffled time" else self.task))

    def with_rates(self, rates: Mapping[str, Any], at_the_edge: Sequence[str]) -> Cell:
        """Copy the cell, with other learning rates.

        Args:
            rates: the learning rates, by the name of the setting.
            at_the_edge: those of them that lie at the edge of what was searched.

        Returns:
            The cell, whose runs have these rates. A frozen cell is named by them.
        """
        runs = runs_of(replace(self.base, **rates), self.shared, len(self.runs))
        rule = runs[0].row if self.kind == "frozen" else self.rule
        return replace(self, rates=dict(rates), at_the_edge=tuple(at_the_edge), runs=runs, rule=rule)


@dataclass(frozen=True)
class TaskPlan:
    """A task with the facts of its data set and its cells.

    Args:
        task: the task of the suite.
        classes: number of its classes.
        cells: rules first, then the frozen hidden layers, then one rule on samples that are shuffled in time.
    """

    task: Task
    classes: int
    cells: tuple[Cell, ...]


def plan_suite(
    suite: Suite,
    rules: str | None,
    seeds: int,
    data_dir: Path | None,
    tasks: str | None = None,
    *,
    rates_open: bool = False,
) -> list[TaskPlan]:
    """Plan all cells of a suite. Nothing is trained.

    Args:
        suite: the suite whose tasks are trained.
        rules: comma-separated, each with options and settings of its own (see `compare.rows.parse_row`); None for the
            rules of each task. A bare `shallow` beside others is left out, since every rule has its frozen layers.
        seeds: number of seeds of each cell, from 0.
        data_dir: the folder of the data sets; None for the default folder.
        tasks: the names of the tasks to train, comma-separated; None for all.
        rates_open: whether learning rates are still to be chosen (`rates.choose_rates`). The read-out of frozen layers
            then has a rate of its own, and not that of the rule beside it.

    Returns:
        The tasks with their cells.

    Raises:
        UserError: there is no rule, a rule, its option or a task is unknown, or a data set cannot be read.
    """
    check_range("--seeds", seeds, Seeds)
    named = None if rules is None else choose_rows(rules)
    return [
        _plan_task(
            task, named or list(task.usual_rules()), seeds, data_dir, [t.name for t in suite.tasks if t != task],
            rates_open,
        )
        for task in choose_tasks(suite, tasks)
    ]  # fmt: skip


def runs_of(base: TrainConfig, shared: TrainConfig, seeds: int) -> tuple[Planned, ...]:
    """The runs of one row.

    Args:
        base: the settings of the row with the first seed.
        shared: the settings that all rows share, which the name of the row leaves out.
        seeds: number of seeds, which count up from that of `base`.

    Returns:
        A run for each seed.

    Raises:
        UserError: a part of the row is unknown, or its rule does not run on the path.
    """
    return tuple(with_names([settle(replace(base, seed=base.seed + seed)) for seed in range(seeds)], shared))


def choose_tasks(suite: Suite, tasks: str | None) -> list[Task]:
    """The tasks of a suite that the user names.

    Args:
        suite: the suite.
        tasks: names of tasks, comma-separated; None for all.

    Returns:
        The tasks, in the suite's order.

    Raises:
        UserError: none is named, or one is unknown; the message offers the nearest name.
    """
    by_name = {task.name: task for task in suite.tasks}
    names = list(by_name) if tasks is None else parse_list(tasks)
    for name in names:
        if name not in by_name:
            raise unknown("task", name, by_name)
    if not names:
        raise UserError(f"--tasks names no task. Give some of: {','.join(by_name)}")
    return [task for name, task in by_name.items() if name in names]


def choose_rows(rules: str) -> list[str]:
    """The rows that a user's comma-separated text names, each once; a rule in a file of the user's has the name of the
    file.

    Raises:
        UserError: there is no rule, or a rule, an option or a setting is unknown.
    """
    shared = TrainConfig()
    plan(shared, rules, 1)  # looks at every word
    rows = list(dict.fromkeys(_named(text) for text in parse_list(rules)))
    return [row for row in rows if row != CONTROL] or rows


def _named(text: str) -> str:
    """A row's text with the name of its rule in place of a path."""
    rule, *settings = text.split("@")
    return "@".join([own_part(rule.strip(), "rule"), *settings])


def _plan_task(
    task: Task, rows: Sequence[str], seeds: int, data_dir: Path | None, others: Sequence[str], rates_open: bool
) -> TaskPlan:
    """Plan the cells of one task; `others` are the names of the tasks that do not need its data."""
    try:
        source = open_dataset(task.config.data, data_dir)
    except UserError as error:
        without = f". Or leave this task out: --tasks {','.join(others)}" if others else ""
        raise UserError(f"task '{task.name}': {error}{without}") from None
    shared, _ = with_data(task.config, data_dir)
    cells = list(_cells(task, rows, seeds, data_dir, source, shared, rates_open))
    cells += _out_of_time(task, cells, data_dir) if task.in_time else []
    return TaskPlan(task, source.classes, tuple(cells))


def _cells(
    task: Task, rows: Sequence[str], seeds: int, data_dir: Path | None, source: DataSet, shared: TrainConfig,
    rates_open: bool,
) -> Iterator[Cell]:  # fmt: skip
    """The cells of all rules, then those of their frozen hidden layers, each once."""
    frozen: dict[str, Cell] = {}
    for row in rows:
        base = parse_row(row, shared)
        cell = Cell(task.name, row, "rule", shared, base)
        try:
            runs = runs_of(base, shared, seeds)
            with_data(runs[0].config, data_dir)
            check_net(runs[0].config, source)
        except UserError as error:
            yield replace(cell, refusal=str(error))
            continue
        beside = None if is_shallow(row) else _frozen(cell, seeds, rates_open)
        if beside is not None:
            frozen.setdefault(beside.rule, beside)
        yield replace(cell, runs=runs, frozen=None if beside is None else beside.rule)
    yield from frozen.values()


def _frozen(cell: Cell, seeds: int, rates_open: bool) -> Cell:
    """The cell of the frozen hidden layers beside a rule."""
    (base,) = frozen_beside([cell.base], cell.shared)
    if rates_open:
        base = replace(base, readout_lr=cell.shared.readout_lr)
    runs = runs_of(base, cell.shared, seeds)
    return Cell(cell.task, runs[0].row, "frozen", cell.shared, base, runs)


def _out_of_time(task: Task, cells: Sequence[Cell], data_dir: Path | None) -> list[Cell]:
    """The cell of one rule on samples that are shuffled in time: the reference, or else the first rule that learns."""
    learning = [cell for cell in cells if cell.kind == "rule" and cell.runs and not is_shallow(cell.rule)]
    if not learning:
        return []
    cell = next((cell for cell in learning if cell.rule == GLOBAL_RULE), learning[0])
    shared, _ = with_data(task.out_of_time(), data_dir)
    base = replace(cell.base, data=shared.data)
    runs = runs_of(base, shared, len(cell.runs))
    return [Cell(task.name, cell.rule, "shuffled time", shared, base, runs)]
