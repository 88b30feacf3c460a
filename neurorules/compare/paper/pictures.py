"""All charts of a report as static specifications, one for each choice that the page offers."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from importlib.resources import files
from typing import Any, NamedTuple

from neurorules.compare.paper.bands import bands, summaries
from neurorules.compare.report.charts._shared import Spec
from neurorules.compare.report.reading import Comparison, Row, has
from neurorules.compare.report.sections import Section
from neurorules.compare.report.style import Look

WIDTH = 300
"""The width of a chart without its labels, in points: a column of most journals."""
LONGEST = 44
"""The number of characters of a rule's name that fit beside a chart."""
VARIABLE = re.compile(r"var\(--([\w-]+)\)")
LEGEND: Spec = {"title": None, "orient": "right", "labelLimit": 0, "symbolOpacity": 1, "symbolStrokeWidth": 1.6}
TICKS = 6
"""The largest number of epochs that are written below a chart."""
CONFIG: Spec = {
    "background": "white", "font": "Helvetica, Arial, sans-serif", "view": {"stroke": None},
    "axis": {"labelColor": "#222222", "titleColor": "#222222", "titleFontWeight": 400, "titleFontSize": 11,
             "labelFontSize": 10, "gridColor": "#e6e6e6", "domainColor": "#888888", "tickColor": "#888888"},
    "legend": {"labelFontSize": 10, "labelColor": "#222222"},
}  # fmt: skip
"""The style of all charts in print."""


class Picture(NamedTuple):
    """A chart that can be drawn: the name of its files, and a Vega-Lite specification with its numbers in it."""

    name: str
    spec: Spec


def pictures_of(comparison: Comparison, sections: Sequence[Section], looks: Mapping[str, Look]) -> Iterator[Picture]:
    """Yield all charts of the sections, one for each measure and layer that has a value.

    Args:
        comparison: the comparison to report.
        sections: the sections of its report.
        looks: how each rule is drawn.

    Returns:
        The charts, in the order of the page.
    """
    for section in sections:
        measures = [measure for group in section.choices.values() for measure in group]
        for name, spec in section.charts.items():
            rows = section.lists[spec["usermeta"]["rows"]]
            if not _is_chosen(spec):
                titles = [measure["title"] for measure in measures if measure["name"] == spec["usermeta"]["field"]]
                titled = _titled(spec, "x", titles[0]) if titles else spec
                yield Picture(name, _filled_in(comparison, titled, rows, {}))
                continue
            for measure in measures:
                yield from _of_measure(comparison, looks, name, spec, rows, measure)


def _of_measure(
    comparison: Comparison, looks: Mapping[str, Look], name: str, spec: Spec, rows: Sequence[Row], measure: Row
) -> Iterator[Picture]:
    """The charts of one measure: of all layers, or one for each."""
    along = spec["usermeta"]["along"]
    label = f"{name}_{measure['name']}"
    if along is None:
        titled = _titled(_legends(spec), "y", "test accuracy")
        yield Picture(label, _filled_in(comparison, titled, rows, {**measure, "measure": measure["name"]}))
        return
    last = max((row["epoch"] for row in rows), default=0)
    parts = {label: [row for row in rows if row["epoch"] == last]} if along == "layer" else {label: rows}
    if along == "epoch" and has(rows, "layer"):
        layers = [layer for layer in comparison.layer_names if any(row["layer"] == layer for row in rows)]
        parts = {f"{label}_{layer}": [row for row in rows if row["layer"] == layer] for layer in layers}
    every = [row for part in parts.values() for row in summaries(comparison, part, along, measure["name"])]
    low, high = _bounds(measure, every)
    for part, own in parts.items():
        if has(own, measure["name"]):
            means = summaries(comparison, own, along, measure["name"])
            drawn = _banded(spec, means, looks)
            yield Picture(part, _filled_in(comparison, drawn, means, {**measure, "low": low, "high": high}))


def _banded(spec: Spec, means: Sequence[Row], looks: Mapping[str, Look]) -> Spec:
    """Replace the curves of a chart, which are drawn over a reference line, by means and intervals."""
    along = spec["usermeta"]["along"]
    reference, first, *_ = spec["layer"]
    x, places = first["encoding"]["x"], sorted({row[along] for row in means})
    if along == "epoch":
        x = {**x, "axis": {**x["axis"], "values": places[:: -(-len(places) // TICKS)]}}
    layers = [reference, *bands(x, looks, along == "layer" or len(places) == 1)]
    return _titled(_legends({**spec, "transform": [], "layer": layers}), "y", {"expr": "title"})


def _titled(spec: Spec, channel: str, title: Any) -> Spec:
    """A specification whose axis has a title; on the page the title stands above the chart."""
    layers = []
    for layer in spec["layer"]:
        encoding = layer["encoding"]
        axis = {**encoding[channel], "axis": {**encoding[channel]["axis"], "title": title}}
        layers.append({**layer, "encoding": {**encoding, channel: axis}})
    return {**spec, "layer": layers}


def _filled_in(comparison: Comparison, spec: Spec, rows: Sequence[Row], chosen: Mapping[str, Any]) -> Spec:
    """A specification with its numbers, all rules, the given choices, and colours instead of names of colours."""
    values = {"picked": comparison.names, "layers": comparison.layer_names, "longest": LONGEST, **chosen}
    if any("values" in row for row in rows):
        values["most"] = min(1.0, max(max(row["high"] or 0, *row["values"]) for row in rows))
    params = [{**param, "value": values.get(param["name"], param["value"])} for param in spec["params"]]
    whole = {
        **spec, "params": params, "data": {"values": list(rows)}, "width": WIDTH, "autosize": {"type": "pad"},
        "config": CONFIG, "layer": [layer for layer in spec["layer"] if not _is_unseen(layer)],
    }  # fmt: skip
    if spec["usermeta"]["step"]:
        drawn = [row for row in rows if row.get(spec["usermeta"]["field"] or "rule") is not None]
        whole["height"] = spec["usermeta"]["step"] * max(1, len(drawn))
    text = VARIABLE.sub(lambda name: colours()[name[1]], json.dumps(whole))
    return dict(json.loads(text))


def _is_chosen(spec: Spec) -> bool:
    """Whether the reader chooses the measure of a chart."""
    return any(param["name"] == "measure" for param in spec["params"])


def _is_unseen(layer: Spec) -> bool:
    """Whether marks only serve the mouse pointer."""
    return "tooltip" in layer["encoding"] and layer["mark"].get("opacity", 1) < 0.01


def _legends(spec: Any) -> Any:
    """Give the chart with a legend for each scale of rules; on the page chips take its place."""
    if isinstance(spec, list):
        return [_legends(part) for part in spec]
    if not isinstance(spec, dict):
        return spec
    return {name: LEGEND if name == "legend" and part is None else _legends(part) for name, part in spec.items()}


def _bounds(measure: Row, means: Sequence[Row]) -> tuple[float, float]:
    """Bounds of the axis of a measure, for all charts of it: of its values, its reference and what it may span."""
    values = [row[bound] for row in means for bound in ("value", "low", "high") if row[bound] is not None]
    values += [] if measure["reference"] is None else [measure["reference"]]
    values += list(measure["span"] or ())
    if not values:
        return 0.0, 1.0
    low, high = min(values), max(values)
    pad = 0.06 * (high - low or abs(high) or 1)
    shares = str(measure["format"]).endswith("%")
    return (max(0.0, low - pad) if low >= 0 or shares else low - pad), (min(1.0, high + pad) if shares else high + pad)


@cache
def colours() -> dict[str, str]:
    """The colours of the report's page where it is light, by their names in the style sheet."""
    style = files("neurorules.compare.report").joinpath("assets", "report.css").read_text(encoding="utf-8")
    light = style[: style.index("}")]
    return {name: value.strip() for name, value in re.findall(r"--([\w-]+):\s*([^;]+);", light)}
