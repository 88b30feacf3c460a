"""The cells of a benchmark before anything is trained: the runs that each needs, or the reason why a task does not fit
a rule.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from neurorules.benchmark.suite import CONTROL, Suite, Task
from neurorules.compare.comparison import Planned, plan
from neurorules.compare.controls import is_shallow
from neurorules.compare.rows import GLOBAL_RULE
from neurorules.contracts.data_set import DataSet
from neurorules.datasets import open_dataset
from neurorules.language.config import TrainConfig
from neurorules.language.errors import UserError, unknown
from neurorules.language.options import parse_list
from neurorules.language.ranges import Seeds, check_range
from neurorules.language.registry import own_part
from neurorules.runner.dispatch import check_net, with_data

Kind = Literal["rule", "frozen", "shuffled time"]
"""The kind of a cell: a rule, its frozen hidden layers, or a rule on samples that are shuffled in time."""


@dataclass(frozen=True)
class Cell:
    """One rule on one task.

    Args:
        task: name of the task.
        rule: the rule with options and settings of its own, the same on all tasks.
        kind: the kind of the cell.
        runs: one for each seed; none if the task does not fit the rule.
        frozen: the name of the row of the frozen cell whose read-out learns in the same way; None if there is none.
        refusal: the reason why the task does not fit the rule; None if it does.
    """

    task: str
    rule: str
    kind: Kind
    runs: tuple[Planned, ...]
    frozen: str | None = None
    refusal: str | None = None

    def folder(self, out: Path, run: Planned) -> Path:
        """The folder of one of its runs.

        Args:
            out: the folder of the benchmark.
            run: one of `runs`.

        Returns:
            A folder below `out`.
        """
        return run.folder(out / (f"{self.task}-shuffled" if self.kind == "shuffled time" else self.task))


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
    suite: Suite, rules: str | None, seeds: int, data_dir: Path | None, tasks: str | None = None
) -> list[TaskPlan]:
    """Plan all cells of a suite. Nothing is trained.

    Args:
        suite: the suite whose tasks are trained.
        rules: comma-separated, each with options and settings of its own (see `compare.rows.parse_row`); None for the
            rules of each task. A bare `shallow` beside others is left out, since every rule has its frozen layers.
        seeds: number of seeds of each cell, from 0.
        data_dir: the folder of the data sets; None for the default folder.
        tasks: the names of the tasks to train, comma-separated; None for all.

    Returns:
        The tasks with their cells.

    Raises:
        UserError: there is no rule, a rule, its option or a task is unknown, or a data set cannot be read.
    """
    check_range("--seeds", seeds, Seeds)
    named = None if rules is None else choose_rows(rules)
    return [
        _plan_task(task, named or list(task.usual_rules()), seeds, data_dir, [t.name for t in suite.tasks if t != task])
        for task in choose_tasks(suite, tasks)
    ]


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


def _plan_task(task: Task, rows: Sequence[str], seeds: int, data_dir: Path | None, others: Sequence[str]) -> TaskPlan:
    """Plan the cells of one task; `others` are the names of the tasks that do not need its data."""
    try:
        source = open_dataset(task.config.data, data_dir)
    except UserError as error:
        without = f". Or leave this task out: --tasks {','.join(others)}" if others else ""
        raise UserError(f"task '{task.name}': {error}{without}") from None
    cells = list(_cells(task, rows, seeds, source, data_dir))
    cells += _out_of_time(task, cells, seeds, data_dir) if task.in_time else []
    return TaskPlan(task, source.classes, tuple(cells))


def _cells(task: Task, rows: Sequence[str], seeds: int, source: DataSet, data_dir: Path | None) -> Iterator[Cell]:
    """The cells of all rules, then those of their frozen hidden layers, each once."""
    config, _ = with_data(task.config, data_dir)
    frozen: dict[str, Cell] = {}
    for row in rows:
        try:
            runs = plan(config, row, seeds, controls=CONTROL)
            own = tuple(run for run in runs if run.row == runs[0].row)
            with_data(own[0].config, data_dir)
            check_net(own[0].config, source)
        except UserError as error:
            yield Cell(task.name, row, "rule", (), refusal=str(error))
            continue
        beside = tuple(run for run in runs if run not in own)
        if beside:
            frozen.setdefault(beside[0].row, Cell(task.name, beside[0].row, "frozen", beside))
        yield Cell(task.name, row, "rule", own, beside[0].row if beside else None)
    yield from frozen.values()


def _out_of_time(task: Task, cells: Sequence[Cell], seeds: int, data_dir: Path | None) -> list[Cell]:
    """The cell of one rule on samples that are shuffled in time: the reference, or else the first rule that learns."""
    learning = [cell for cell in cells if cell.kind == "rule" and cell.runs and not is_shallow(cell.rule)]
    if not learning:
        return []
    cell = next((cell for cell in learning if cell.rule == GLOBAL_RULE), learning[0])
    config, _ = with_data(task.out_of_time(), data_dir)
    return [Cell(task.name, cell.rule, "shuffled time", tuple(plan(config, cell.rule, seeds)))]
