"""The section on the layers: how much they fire, how they change, and how well they predict the label."""

from __future__ import annotations

from collections.abc import Mapping

from neurorules.compare.report.charts.by_depth import by_depth
from neurorules.compare.report.charts.over_epochs import over_epochs
from neurorules.compare.report.markup import (
    Cell,
    Column,
    Table,
    TableRow,
    choice,
    figure,
    note,
    small_multiples,
    table_html,
)
from neurorules.compare.report.measures import LAYERS, PERCENT, Measure
from neurorules.compare.report.numbers import Number, average, fixed, percent
from neurorules.compare.report.reading import Comparison, layer_order
from neurorules.compare.report.sections._shared import Section, at_epoch, by_rule_and_layer, measured, offered
from neurorules.compare.report.style import Look

LEAD = "Firing, dead and saturated neurons, change of the weights, similarity to BPTT's net, and a linear probe."


def layers_section(comparison: Comparison, looks: Mapping[str, Look]) -> Section:
    """Make the section that shows what the layers do.

    Args:
        comparison: the comparison to report.
        looks: how each rule is drawn.

    Returns:
        The section, which says so if nothing was measured.
    """
    rows = comparison.layers
    measures = measured(rows, LAYERS)
    if not measures:
        return Section("inside", "Inside the layers", "", note("Not measured in this comparison."))
    layers = sorted({row["layer"] for row in rows}, key=layer_order)
    body = choice("inside", "Show", [(m.name, m.title) for m in measures])
    body += figure("inside_by_depth", "By layer, after the last epoch", group="inside", wide=True)
    body += small_multiples("inside_over_epochs", layers, group="inside")
    columns = [
        Column(_head(measure), measure.about, True, 100 if measure.format == PERCENT else 1) for measure in measures
    ]
    table = Table(
        "layers",
        "Layers after the last epoch, mean over seeds",
        columns,
        _rows(comparison, layers, measures),
        tall=True,
    )
    return Section(
        "inside",
        "Inside the layers",
        LEAD,
        body + table_html(table, looks),
        {
            "inside_by_depth": by_depth("layers", "Lines: a measure by layer, one line per rule.", looks, layers),
            "inside_over_epochs": over_epochs(
                "layers", "Lines: a measure of one layer over the epochs, one line per rule.", looks
            ),
        },
        {"layers": rows},
        {"inside": offered(measures)},
        [table],
    )


def _head(measure: Measure) -> str:
    """The title of a measure's column."""
    return f"{measure.title} %" if measure.format == PERCENT else measure.title


def _rows(comparison: Comparison, layers: list[str], measures: list[Measure]) -> list[TableRow]:
    """The rows of the table: one per rule and layer, averaged over seeds."""
    rows = []
    for rule, layer, own in by_rule_and_layer(comparison, comparison.layers, layers):
        end = at_epoch(own, max(row["epoch"] for row in own))
        rows.append(TableRow(rule, [_cell(measure, average(end, measure.name)) for measure in measures], layer))
    return rows


def _cell(measure: Measure, value: Number | None) -> Cell:
    """Format one measure of a layer as a table cell."""
    return Cell(percent(value) if measure.format == PERCENT else fixed(value, 3), value)
