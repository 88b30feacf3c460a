"""The section of test figures for tasks without classes: errors of values, or figures for several labels."""

from __future__ import annotations

from collections.abc import Mapping

from neurorules.compare.report.markup import Cell, Column, Table, TableRow, table_html
from neurorules.compare.report.numbers import NONE, Number, plain_number
from neurorules.compare.report.reading import Comparison, Row, rates_of
from neurorules.compare.report.sections._shared import Section, by_accuracy
from neurorules.compare.report.style import Look
from neurorules.contracts.target import FIGURES, FIGURES_OF

R2 = "R2 is 1 where values are predicted exactly, and 0 where their mean is predicted. "
DIGITS = 4


def figures_section(comparison: Comparison, looks: Mapping[str, Look]) -> Section:
    """Make the section that shows the test figures of a task without classes.

    Args:
        comparison: the comparison to report.
        looks: how each rule is drawn.

    Returns:
        The section, a table of one row for each rule, the best one first.
    """
    names = figures_of(comparison)
    columns = [
        Column("rate", "learning rate of the hidden layers; none where they stay as they were drawn", True),
        Column("read-out rate", "learning rate of the read-out", True),
    ]
    for name in names:
        better = "higher" if FIGURES[name].higher else "lower"
        columns += [
            Column(f"test {FIGURES[name].words}", f"mean over seeds, last epoch; {better} is better", True),
            Column("95 % interval", "Student's t over seeds"),
        ]
    columns += [
        Column("seeds", "", True),
        Column(f"validation {FIGURES[names[0]].words}", "mean over seeds, last epoch", True),
        Column("to BPTT", f"mean difference of the same seeds in {FIGURES[names[0]].words}", True),
    ]
    by_name = {row["rule"]: row for row in comparison.rules}
    rows = [TableRow(name, _cells(by_name[name], names)) for name in by_accuracy(comparison)]
    table = Table("figures", "Test figures by rule", columns, rows)
    lead = f"{R2 if 'r2' in names else ''}Rules are ordered by {FIGURES[names[0]].words} on the test samples."
    return Section("accuracy", "Figures of the task", lead, table_html(table, looks), tables=[table])


def figures_of(comparison: Comparison) -> tuple[str, ...]:
    """The figures of a comparison's task, the one that rules are told apart by first."""
    return next(names for names in FIGURES_OF.values() if names[0] == comparison.figure)


def _cells(row: Row, names: tuple[str, ...]) -> list[Cell]:
    cells = [Cell(NONE if rate is None else f"{rate:g}", rate) for rate in rates_of(row)]
    for name in names:
        test = row.get(f"test_{name}") or {}
        cells += [
            _cell(test.get("mean")),
            Cell(_bounds(test.get("low"), test.get("high")), test.get("low"), mark="tight"),
        ]
    seeds = row.get("seeds") or 1
    validation, difference = row.get(f"validation_{names[0]}") or {}, row.get("difference") or {}
    return [*cells, Cell(str(seeds), seeds), _cell(validation.get("mean")), _cell(difference.get("mean"))]


def _cell(value: Number | None) -> Cell:
    return Cell(plain_number(value, DIGITS), value)


def _bounds(low: Number | None, high: Number | None) -> str:
    return NONE if low is None or high is None else f"{plain_number(low, DIGITS)} to {plain_number(high, DIGITS)}"
