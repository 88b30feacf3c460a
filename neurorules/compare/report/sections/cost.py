"""The section on what learning and running cost."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from neurorules.compare.report.charts.cost import cost
from neurorules.compare.report.charts.trade_off import trade_off
from neurorules.compare.report.markup import Cell, Column, Table, TableRow, choice, figure, note, table_html
from neurorules.compare.report.measures import COSTS
from neurorules.compare.report.numbers import plain_number
from neurorules.compare.report.reading import Comparison, Row, is_global
from neurorules.compare.report.sections._shared import Section, by_accuracy, measured, offered
from neurorules.compare.report.style import Look

LEAD = "Counts are the same on any machine; seconds and memory were measured on this machine, and include libraries."


def cost_section(comparison: Comparison, looks: Mapping[str, Look]) -> Section:
    """Make the section that shows what learning and running cost.

    Args:
        comparison: the comparison to report.
        looks: how each rule is drawn.

    Returns:
        The section, which says so if nothing was measured.
    """
    measures = measured(comparison.rules, COSTS)
    if not measures:
        return Section("cost", "Cost", "", note("Not measured in this comparison."))
    order = by_accuracy(comparison)
    by_name = {row["rule"]: row for row in comparison.rules}
    reference = next((row for row in comparison.rules if is_global(row)), None)
    plotted = comparison.figure == "accuracy"
    body = ""
    if plotted:
        body = choice("cost", "Accuracy over", [(m.name, m.title) for m in measures])
        body += figure("trade_off", "What accuracy costs", group="cost", wide=True)
    body += f'<div class="grid">{"".join(figure(f"cost_{m.name}", m.title) for m in measures)}</div>'
    columns = [Column(measure.title, measure.about, True) for measure in measures]
    rows = [TableRow(name, [_cell(by_name[name], m.name, reference) for m in measures]) for name in order]
    table = Table("cost", "Cost by rule, and times BPTT's", columns, rows)
    charts = {f"cost_{measure.name}": cost(measure, looks, order) for measure in measures}
    return Section(
        "cost",
        "Cost",
        LEAD,
        body + table_html(table, looks),
        {**({"trade_off": trade_off(looks)} if plotted else {}), **charts},
        {"costs": [_flat(row) for row in comparison.rules]},
        {"cost": offered(measures)} if plotted else {},
        [table],
    )


def _flat(row: Row) -> dict[str, Any]:
    """A rule as a row of the charts: its mean test accuracy and its costs."""
    test = row.get("test_accuracy") or {}
    return {"rule": row["rule"], "mean": test.get("mean"), **{m.name: row.get(m.name) for m in COSTS}}


def _cell(row: Row, name: str, reference: Row | None) -> Cell:
    """The cell of one cost, with its ratio to that of the reference below."""
    value = row.get(name)
    other = None if reference is None or reference is row else reference.get(name)
    below = "" if value is None or not other else f"× {value / other:.2f}"
    return Cell(plain_number(value), value, below)
