"""The parts of a section, and those that several sections share."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from neurorules.compare.report.charts._shared import Spec
from neurorules.compare.report.markup import Table
from neurorules.compare.report.measures import Measure
from neurorules.compare.report.reading import Comparison, Row, has
from neurorules.contracts.target import FIGURES


class Section(NamedTuple):
    """A part of the page.

    Args:
        name: the name of its place in the page.
        title: the line above it.
        lead: a few sentences that introduce it.
        body: its HTML.
        charts: specifications by name.
        lists: rows by name, for charts and for CSV files.
        choices: the measures among which a reader picks, by group of charts.
        tables: those of its body, and what its body draws as squares.
    """

    name: str
    title: str
    lead: str
    body: str
    charts: Mapping[str, Spec] = {}
    lists: Mapping[str, Sequence[Row]] = {}
    choices: Mapping[str, Sequence[Mapping[str, Any]]] = {}
    tables: Sequence[Table] = ()


def by_accuracy(comparison: Comparison) -> list[str]:
    """Names of the rules from the best test accuracy, or figure of another task, to the worst; those without one come
    last."""
    sign, key = 1 if FIGURES[comparison.figure].higher else -1, f"test_{comparison.figure}"

    def mean(row: Row) -> float | int:
        value = (row.get(key) or {}).get("mean")
        return float("-inf") if value is None else sign * value

    return [row["rule"] for row in sorted(comparison.rules, key=mean, reverse=True)]


def by_rule_and_layer(
    comparison: Comparison, rows: Sequence[Row], layers: Sequence[str]
) -> Iterator[tuple[str, str, list[Row]]]:
    """Yield each rule and layer that has rows, with these rows, in the order of a table."""
    for rule in by_accuracy(comparison):
        for layer in layers:
            own = [row for row in rows if row["rule"] == rule and row["layer"] == layer]
            if own:
                yield rule, layer, own


def at_epoch(rows: Sequence[Row], epoch: int) -> list[Row]:
    """The rows of one epoch, one per seed."""
    return [row for row in rows if row["epoch"] == epoch]


def measured(rows: Sequence[Row], measures: Sequence[Measure]) -> list[Measure]:
    """The measures of which at least one row has a value."""
    return [measure for measure in measures if has(rows, measure.name)]


def offered(measures: Sequence[Measure]) -> list[dict[str, Any]]:
    """The measures in the form that the page's script reads."""
    return [measure._asdict() for measure in measures]
