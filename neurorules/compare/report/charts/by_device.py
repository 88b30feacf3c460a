"""The chart of losses on devices: one square per rule and device, coloured by the lost accuracy in points."""

from __future__ import annotations

from collections.abc import Sequence

from neurorules.compare.report.charts._shared import FADED, IS_PICKED, Spec, chart

LOST = "var(--bad)"
"""The colour of squares that lose; `devices_section` says how many points make it full."""


def by_device(rules: Sequence[str], devices: Sequence[str]) -> Spec:
    """Specify the chart of rules beside devices.

    Args:
        rules: names without a device, from top to bottom.
        devices: names from left to right.

    Returns:
        The specification.
    """
    place: Spec = {
        "x": {
            "field": "device", "type": "nominal", "sort": list(devices),
            "axis": {"title": None, "orient": "top", "labelAngle": -30, "labelLimit": 190, "ticks": False},
        },
        "y": {
            "field": "base", "type": "nominal", "sort": list(rules),
            "axis": {"title": None, "ticks": False, "labelLimit": 260, "labelPadding": 7},
        },
    }  # fmt: skip
    tooltip = [
        {"field": "base", "title": "rule"},
        {"field": "device", "title": "device"},
        {"field": "mean", "title": "test accuracy", "format": ".2%"},
        {"field": "change", "title": "to floating point"},
    ]
    square = {
        "mark": {"type": "rect", "color": LOST, "stroke": "var(--line)"},
        "encoding": {
            **place,
            "fillOpacity": {"field": "full", "type": "quantitative", "scale": None, "legend": None},
            "opacity": {"condition": {"test": FADED, "value": 1}, "value": 0.2},
            "tooltip": tooltip,
        },
    }
    number = {
        "mark": {"type": "text", "color": "var(--ink)", "fontSize": 11},
        "encoding": {**place, "text": {"field": "mean", "type": "quantitative", "format": ".1%"}},
    }
    return chart(
        "devices",
        "Squares: test accuracy of each rule on each device, redder where more is lost to floating point.",
        [square, number],
        transform=[IS_PICKED],
        height={"step": 26},
    )
