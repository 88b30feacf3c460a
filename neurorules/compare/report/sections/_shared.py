"""What a section is made of."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from neurorules.compare.report.charts._shared import Spec
from neurorules.compare.report.measures import Measure
from neurorules.compare.report.reading import Comparison, Row, has


class Section(NamedTuple):
    """A part of the page: its place name, title, one sentence, its HTML, and what its charts draw.

    Args:
        charts: specifications by name.
        lists: rows by name, for charts and for CSV files.
        choices: the measures among which a reader picks, by group of charts.
    """

    name: str
    title: str
    lead: str
    body: str
    charts: Mapping[str, Spec] = {}
    lists: Mapping[str, Sequence[Row]] = {}
    choices: Mapping[str, Sequence[Mapping[str, Any]]] = {}


def by_accuracy(comparison: Comparison) -> list[str]:
    """Rules from the best test accuracy to the least; those without one last."""

    def mean(row: Row) -> float | int:
        found = (row.get("test_accuracy") or {}).get("mean")
        return -1.0 if found is None else found

    return [row["rule"] for row in sorted(comparison.rules, key=mean, reverse=True)]


def by_rule_and_layer(
    comparison: Comparison, rows: Sequence[Row], layers: Sequence[str]
) -> Iterator[tuple[str, str, list[Row]]]:
    """Each rule and layer that has rows, in the order of a table, with them."""
    for rule in by_accuracy(comparison):
        for layer in layers:
            own = [row for row in rows if row["rule"] == rule and row["layer"] == layer]
            if own:
                yield rule, layer, own


def at_epoch(rows: Sequence[Row], epoch: int) -> list[Row]:
    """The rows of one epoch, a seed each."""
    return [row for row in rows if row["epoch"] == epoch]


def measured(rows: Sequence[Row], measures: Sequence[Measure]) -> list[Measure]:
    """The measures that any row has."""
    return [measure for measure in measures if has(rows, measure.name)]


def offered(measures: Sequence[Measure]) -> list[dict[str, Any]]:
    """Measures as the page's script reads them."""
    return [measure._asdict() for measure in measures]
