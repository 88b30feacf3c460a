"""Curves for print: the mean over seeds with its interval as a band, or as a bar for a single point."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from neurorules.compare.folds import overlap_of
from neurorules.compare.measures.statistics import interval
from neurorules.compare.report.charts._shared import Spec, colour, dash, shape, value_axis
from neurorules.compare.report.reading import Comparison, Row
from neurorules.compare.report.style import Look


def summaries(comparison: Comparison, rows: Sequence[Row], along: str, measure: str) -> list[dict[str, Any]]:
    """The mean of a measure over the seeds of each rule, and its 95 % interval.

    Args:
        comparison: the comparison of the rows.
        rows: one for each rule, seed and place.
        along: the column of the place, such as epoch.
        measure: column of the value; rows without one are left out.

    Returns:
        Rows of rule, place, value, low, high and seeds, in the order of the comparison; bounds are None for one seed.
    """
    values: dict[tuple[str, Any], list[float]] = {}
    for row in rows:
        if row.get(measure) is not None:
            values.setdefault((row["rule"], row[along]), []).append(row[measure])
    overlaps = {name: _overlap(comparison, name) for name in comparison.names}
    means = []
    for (rule, place), several in values.items():
        mean, low, high, _ = interval(several, overlap=overlaps[rule])
        means.append({"rule": rule, along: place, "value": mean, "low": low, "high": high, "seeds": len(several)})
    return sorted(means, key=lambda row: comparison.names.index(row["rule"]))


def _overlap(comparison: Comparison, rule: str) -> float:
    """The factor by which the intervals of a rule's folds are widened; 0 for seeds."""
    own = [run for run in comparison.runs if run["rule"] == rule and run.get("data") is not None]
    return overlap_of(own[0]) if own else 0.0


def bands(x: Spec, looks: Mapping[str, Look], bars: bool) -> list[Spec]:
    """The marks of `summaries`, from bottom to top.

    Args:
        x: the horizontal encoding.
        looks: how each rule is drawn.
        bars: whether intervals are bars instead of bands.

    Returns:
        Layers of a Vega-Lite specification.
    """
    y = value_axis()
    base = {"x": x, "y": y, "color": colour(looks)}
    reach = {**base, "y": {**y, "field": "low"}, "y2": {"field": "high"}}
    bounded = [{"filter": "isValid(datum.low)"}]
    bar = {"mark": {"type": "rule", "strokeWidth": 1.5, "opacity": 0.6, "clip": True}, "encoding": reach}
    band = {"mark": {"type": "area", "opacity": 0.16, "clip": True}, "encoding": reach}
    line = {"type": "line", "strokeWidth": 1.6, "clip": True}
    return [
        {"transform": bounded, **(bar if bars else band)},
        {"mark": line, "encoding": {**base, "strokeDash": dash(looks)}},
        {"mark": {"type": "point", "filled": True, "size": 26}, "encoding": {**base, "shape": shape(looks)}},
    ]
