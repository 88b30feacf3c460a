"""The chart of test accuracy: one line per rule, with interval, mean and every seed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from neurorules.compare.report.charts._shared import HIT_SIZE, IS_PICKED, Spec, chart, colour, faded, rule_axis, shape
from neurorules.compare.report.style import Look

TOOLTIP: list[Spec] = [
    {"field": "rule", "title": "rule"},
    {"field": "mean", "title": "mean", "format": ".2%"},
    {"field": "interval", "title": "95 % interval"},
    {"field": "seeds", "title": "seeds"},
]
"""What a reader sees who points at a mean."""


def accuracy(looks: Mapping[str, Look], order: Sequence[str], reference: str | None) -> Spec:
    """Specify the chart of test accuracy.

    Args:
        looks: how each rule is drawn.
        order: names of the rules from top to bottom.
        reference: name of the rule whose mean is a dashed line; None for no line.

    Returns:
        The Vega-Lite specification.
    """
    y = rule_axis(order, grid=True)
    x = {
        "field": "mean",
        "type": "quantitative",
        "axis": {"format": ".0%", "title": "test accuracy, last epoch", "tickCount": 6},
        "scale": {"zero": False, "nice": True, "padding": 12, "domainMax": {"expr": "most"}},
    }
    return chart(
        "accuracy",
        "Dot plot of test accuracy by rule: each seed, their mean, its 95 % confidence interval.",
        [
            {
                "transform": [{"filter": {"field": "rule", "equal": reference or ""}}],
                "mark": {"type": "rule", "strokeDash": [5, 4], "color": "var(--muted)"},
                "encoding": {"x": x},
            },
            {
                "transform": [{"filter": "isValid(datum.low)"}],
                "mark": {"type": "rule", "strokeWidth": 3, "strokeCap": "round", "clip": True},
                "encoding": {
                    "y": y,
                    "x": {**x, "field": "low"},
                    "x2": {"field": "high"},
                    "color": colour(looks),
                    "opacity": faded(0.45),
                },
            },
            {
                "transform": [{"flatten": ["values"]}],
                "mark": {"type": "point", "size": 34, "strokeWidth": 1.3, "fill": "var(--card)"},
                "encoding": {"y": y, "x": {**x, "field": "values"}, "color": colour(looks), "opacity": faded(0.9)},
            },
            {
                "mark": {"type": "point", "filled": True, "size": 110},
                "encoding": {"y": y, "x": x, "color": colour(looks), "shape": shape(looks), "opacity": faded(1)},
            },
            {
                "mark": {"type": "point", "filled": True, "size": HIT_SIZE * 2, "opacity": 0.001},
                "encoding": {"y": y, "x": x, "tooltip": TOOLTIP},
            },
        ],
        params=[{"name": "most", "value": 1}],
        transform=[IS_PICKED],
        step=28,
        height=28 * len(order),
    )
