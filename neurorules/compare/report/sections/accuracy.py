"""The section of test accuracies: a chart and a table."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from neurorules.compare.report.charts.accuracy import accuracy
from neurorules.compare.report.markup import Cell, Column, Table, TableRow, figure, table_html
from neurorules.compare.report.numbers import NONE, Number, clipped, fixed, interval, percent, points, points_interval
from neurorules.compare.report.reading import Comparison, Row, is_global, rates_of
from neurorules.compare.report.sections._shared import Section, by_accuracy
from neurorules.compare.report.sections.figures import figures_section
from neurorules.compare.report.style import Look

LEAD = (
    "Every dot is a seed, the filled mark their mean, the bar the mean's 95 % confidence interval. "
    "The dashed line is BPTT's mean."
)

COLUMNS = (
    Column("rate", "learning rate of the hidden layers; none for frozen layers", True),
    Column("read-out rate", "learning rate of the read-out, which a control copies from its rule", True),
    Column("test %", "mean over seeds, last epoch", True, 100),
    Column("95 % interval", "Student's t over seeds"),
    Column("spread", "standard deviation over seeds (n - 1), points", True, 100),
    Column("seeds", "", True),
    Column("validation %", "mean over seeds, last epoch", True, 100),
    Column("to BPTT", "mean difference of the same seeds, points", True, 100),
    Column("its 95 % interval", "Student's t over the paired differences"),
)


def accuracy_section(comparison: Comparison, looks: Mapping[str, Look]) -> Section:
    """Make the section that shows test accuracies.

    Args:
        comparison: the comparison to report.
        looks: how each rule is drawn.

    Returns:
        The section; that of the figures of another task, where samples have no class.
    """
    if comparison.figure != "accuracy":
        return figures_section(comparison, looks)
    order = by_accuracy(comparison)
    by_name = {row["rule"]: row for row in comparison.rules}
    reference = next((row["rule"] for row in comparison.rules if is_global(row)), None)
    table = Table(
        "accuracy",
        "Test accuracy by rule",
        [*COLUMNS, *_columns_to_reach(comparison)],
        [TableRow(name, _cells(by_name[name], comparison)) for name in order],
    )
    rows = [_chart_row(by_name[name]) for name in order if _mean(by_name[name]) is not None]
    return Section(
        "accuracy",
        "Accuracy",
        LEAD,
        figure("accuracy", "Test accuracy", wide=True) + table_html(table, looks),
        {"accuracy": accuracy(looks, order, reference)},
        {"accuracy": rows},
        tables=[table],
    )


def _mean(row: Row) -> Number | None:
    """The mean test accuracy of a rule, in 0..1; None if it was not measured."""
    return (row.get("test_accuracy") or {}).get("mean")


def _chart_row(row: Row) -> dict[str, Any]:
    """A rule as a row of the chart: mean, bounds and every seed."""
    test = row["test_accuracy"]
    low, high = test.get("low"), test.get("high")
    bounded = low is not None and high is not None
    return {
        "rule": row["rule"],
        "mean": test["mean"],
        "low": clipped(low) if bounded else None,
        "high": clipped(high) if bounded else None,
        "interval": f"{interval(low, high)} %" if bounded else "none: one seed",
        "values": test.get("values") or [test["mean"]],
        "seeds": row.get("seeds") or 1,
    }


def _columns_to_reach(comparison: Comparison) -> list[Column]:
    """Columns of the epochs and seconds to each accuracy that some rule reached."""
    return [
        Column(f"{what} to {percent(float(level), 0)} %", "mean over seeds, on validation samples", True)
        for level in _reached(comparison)
        for what in ("epochs", "seconds")
    ]


def _reached(comparison: Comparison) -> list[str]:
    """The validation accuracies that some rule reached, as keys of `epochs_to`, in rising order."""
    levels = {
        level
        for row in comparison.rules
        for level, epochs in (row.get("epochs_to") or {}).items()
        if epochs is not None
    }
    return sorted(levels, key=float)


def _cells(row: Row, comparison: Comparison) -> list[Cell]:
    """The cells of a rule's row."""
    test, validation = row.get("test_accuracy") or {}, row.get("validation_accuracy") or {}
    difference = row.get("difference") or {}
    mean, low, high = test.get("mean"), test.get("low"), test.get("high")
    gap, gap_low, gap_high = difference.get("mean"), difference.get("low"), difference.get("high")
    seeds = row.get("seeds") or 1
    cells = [
        *(Cell(NONE if rate is None else f"{rate:g}", rate) for rate in rates_of(row)),
        Cell(percent(mean, 2), mean),
        Cell(NONE if low is None or high is None else interval(low, high), low, mark="tight"),
        Cell(percent(test.get("spread"), 2) if seeds > 1 else NONE, test.get("spread") if seeds > 1 else None),
        Cell(str(seeds), seeds),
        Cell(percent(validation.get("mean"), 2), validation.get("mean")),
        Cell(NONE if gap is None else points(gap, 2), gap),
        Cell(points_interval(gap_low, gap_high, 2), gap_low, mark="tight"),
    ]
    for level in _reached(comparison):
        epochs = (row.get("epochs_to") or {}).get(level)
        seconds = (row.get("seconds_to") or {}).get(level)
        cells += [Cell(fixed(epochs, 1), epochs), Cell(fixed(seconds, 1), seconds)]
    return cells
