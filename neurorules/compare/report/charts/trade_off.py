"""The chart of test accuracy over one cost, with one point per rule."""

from __future__ import annotations

from collections.abc import Mapping

from neurorules.compare.report.charts._shared import IS_PICKED, Spec, chart, colour, faded, measure_params, shape
from neurorules.compare.report.style import Look


def trade_off(looks: Mapping[str, Look]) -> Spec:
    """Specify the chart of test accuracy over the cost that the reader chooses."""
    x = {
        "field": "value",
        "type": "quantitative",
        "axis": {"labelExpr": "format(datum.value, format)", "title": {"expr": "title"}, "tickCount": 5},
        "scale": {"zero": True, "nice": True},
    }
    y = {
        "field": "mean",
        "type": "quantitative",
        "axis": {"format": ".0%", "title": None, "tickCount": 5},
        "scale": {"zero": False, "nice": True, "padding": 16},
    }
    tooltip = [
        {"field": "rule", "title": "rule"},
        {"field": "mean", "title": "test accuracy", "format": ".2%"},
        {"field": "text", "title": "cost"},
    ]
    mark = {"type": "point", "filled": True, "size": 120}
    encoding = {"x": x, "y": y, "color": colour(looks), "shape": shape(looks), "opacity": faded(1), "tooltip": tooltip}
    return chart(
        "costs",
        "Scatter plot: test accuracy over a cost, one point per rule.",
        [{"mark": mark, "encoding": encoding}],
        params=measure_params(),
        transform=[
            IS_PICKED,
            {"calculate": "datum[measure]", "as": "value"},
            {"filter": "isValid(datum.value) && isValid(datum.mean)"},
            {"calculate": "format(datum.value, exact)", "as": "text"},
        ],
        height=230,
    )
