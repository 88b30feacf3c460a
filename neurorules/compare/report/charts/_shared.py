"""The parts that all charts share: the reader's choices as parameters, and how a rule is drawn.

The page sets the parameters `picked` (rules), `layers`, `focus` (the rule that the reader points at), `longest` (how
many characters of a name fit beside the chart) and those of the measure.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from neurorules.compare.report.style import Look

Spec = dict[str, Any]

SCHEMA = "https://vega.github.io/schema/vega-lite/v6.json"
IS_PICKED: Spec = {"filter": "indexof(picked, datum.rule) >= 0"}
FADED = "focus == null || focus == datum.rule"
COMMON: list[Spec] = [
    {"name": "picked", "value": []},
    {"name": "focus", "value": None},
    {"name": "longest", "value": 40},
]
HIT_SIZE = 260
"""Area, in square pixels, around a point in which a pointer hits it."""


def chart(
    rows: str,
    about: str,
    layers: Sequence[Spec],
    *,
    params: Sequence[Spec] = (),
    step: int | None = None,
    field: str | None = None,
    along: str | None = None,
    **rest: Any,
) -> Spec:
    """A chart that fills the width of its container.

    Args:
        rows: name of the page's list that it draws.
        about: a sentence for readers who cannot see it.
        layers: its marks, from bottom to top.
        params: parameters beside `picked`, `focus` and `longest`.
        step: pixels per rule where rules stand below each other, so that the page sets the height by those shown.
        field: name of the column that it draws; None if the reader chooses it.
        along: column of the horizontal axis where its marks are `curves`, over a reference line; else None.
        rest: further keys of the specification.

    Returns:
        The specification.
    """
    return {
        "$schema": SCHEMA,
        "usermeta": {"rows": rows, "step": step, "field": field, "along": along},
        "description": about,
        "width": "container",
        "autosize": {"type": "fit-x", "contains": "padding"},
        "params": [*COMMON, *params],
        "layer": list(layers),
        **rest,
    }


def rule_axis(order: Sequence[str], grid: bool = False) -> Spec:
    """Rules down the left side. A name longer than `longest` loses its middle, since its end distinguishes it."""
    half = "floor(longest / 2)"
    short = f"slice(datum.label, 0, {half}) + '…' + slice(datum.label, length(datum.label) - {half})"
    axis = {
        "title": None,
        "grid": grid,
        "ticks": False,
        "labelPadding": 7,
        "labelLimit": 0,
        "labelExpr": f"length(datum.label) > longest ? {short} : datum.label",
    }
    return {"field": "rule", "type": "nominal", "sort": list(order), "axis": axis}


def measure_params() -> list[Spec]:
    """Parameters of a chart whose measure the reader chooses."""
    defaults = {"measure": "", "title": "", "format": ".2f", "exact": ".3f", "reference": None, "low": 0, "high": 1}
    return [{"name": name, "value": value} for name, value in defaults.items()]


def colour(looks: Mapping[str, Look]) -> Spec:
    """The encoding of rules by colour."""
    scale = {"domain": list(looks), "range": [look.colour for look in looks.values()]}
    return {"field": "rule", "type": "nominal", "legend": None, "scale": scale}


def shape(looks: Mapping[str, Look]) -> Spec:
    """The encoding of rules by the shape of points."""
    scale = {"domain": list(looks), "range": [look.shape for look in looks.values()]}
    return {"field": "rule", "type": "nominal", "legend": None, "scale": scale}


def dash(looks: Mapping[str, Look]) -> Spec:
    """The encoding of rules by the dash of lines."""
    scale = {"domain": list(looks), "range": [list(look.dash) or [1, 0] for look in looks.values()]}
    return {"field": "rule", "type": "nominal", "legend": None, "scale": scale}


def faded(shown: float | int) -> Spec:
    """An opacity: `shown`, and almost 0 while the reader points at another rule."""
    return {"condition": {"test": FADED, "value": shown}, "value": 0.07}


def value_axis() -> Spec:
    """The vertical axis of a chart whose measure the reader chooses; its title stands above the chart."""
    return {
        "field": "value",
        "type": "quantitative",
        "axis": {"labelExpr": "format(datum.value, format)", "title": None, "tickCount": 5},
        "scale": {"domain": [{"expr": "low"}, {"expr": "high"}], "zero": False, "nice": False},
    }


def reference_line() -> Spec:
    """A dashed line at the reference value of a measure, such as chance."""
    return {
        "data": {"values": [{}]},
        "transform": [{"calculate": "reference", "as": "at"}, {"filter": "isValid(datum.at)"}],
        "mark": {"type": "rule", "color": "var(--muted)", "strokeDash": [5, 4], "clip": True},
        "encoding": {"y": {**value_axis(), "field": "at"}},
    }


def curves(x: Spec, looks: Mapping[str, Look], by: str, where: str) -> list[Spec]:
    """Draw lines: each seed faint, the mean over seeds with points, and a tooltip around each point.

    Args:
        x: the horizontal encoding.
        looks: how each rule is drawn.
        by: column of the horizontal axis.
        where: name of that column in the tooltip.

    Returns:
        The marks, from bottom to top.
    """
    line = {"color": colour(looks), "strokeDash": dash(looks)}
    means = [
        {"aggregate": [{"op": "mean", "field": "value", "as": "value"}, {"op": "count", "as": "seeds"}],
         "groupby": ["rule", by]},
        {"calculate": "format(datum.value, exact)", "as": "text"},
    ]  # fmt: skip
    encoding = {"x": x, "y": value_axis(), **line}
    tooltip = [
        {"field": "rule", "title": "rule"},
        {"field": by, "title": where},
        {"field": "text", "title": "mean over seeds"},
        {"field": "seeds", "title": "seeds"},
    ]
    return [
        {"mark": {"type": "line", "strokeWidth": 1, "clip": True},
         "encoding": {**encoding, "detail": {"field": "seed"}, "opacity": faded(0.22)}},
        {"transform": means, "mark": {"type": "line", "strokeWidth": 2, "clip": True},
         "encoding": {**encoding, "opacity": faded(1)}},
        {"transform": means, "mark": {"type": "point", "filled": True, "size": 46},
         "encoding": {"x": x, "y": value_axis(), "color": colour(looks), "shape": shape(looks), "opacity": faded(1)}},
        {"transform": means, "mark": {"type": "point", "filled": True, "size": HIT_SIZE, "opacity": 0.001},
         "encoding": {"x": x, "y": value_axis(), "detail": {"field": "rule"}, "tooltip": tooltip}},
    ]  # fmt: skip
