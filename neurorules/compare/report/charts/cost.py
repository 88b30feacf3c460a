"""The chart of one cost, with one bar per rule."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from neurorules.compare.report.charts._shared import IS_PICKED, Spec, chart, colour, faded, rule_axis
from neurorules.compare.report.measures import Measure
from neurorules.compare.report.style import Look


def cost(measure: Measure, looks: Mapping[str, Look], order: Sequence[str]) -> Spec:
    """Specify the chart of a cost.

    Args:
        measure: which cost.
        looks: how each rule is drawn.
        order: names of the rules from top to bottom.

    Returns:
        The Vega-Lite specification.
    """
    x = {
        "field": measure.name,
        "type": "quantitative",
        "axis": {"title": None, "format": measure.format, "tickCount": 4},
        "scale": {"zero": True},
    }
    tooltip = [
        {"field": "rule", "title": "rule"},
        {"field": measure.name, "title": measure.title, "format": measure.exact},
    ]
    y = rule_axis(order)
    bar = {"type": "bar", "cornerRadiusEnd": 2, "height": {"band": 0.62}}
    return chart(
        "costs",
        f"Bars: {measure.title}, by rule.",
        [
            {
                "mark": bar,
                "encoding": {"y": y, "x": x, "color": colour(looks), "opacity": faded(0.85), "tooltip": tooltip},
            }
        ],
        transform=[IS_PICKED, {"filter": f"isValid(datum['{measure.name}'])"}],
        field=measure.name,
        step=22,
        height=22 * len(order),
    )
