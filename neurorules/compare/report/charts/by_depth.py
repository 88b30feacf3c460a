"""The chart of a measure in one epoch, by layer, from the input on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from neurorules.compare.report.charts._shared import IS_PICKED, Spec, chart, curves, measure_params, reference_line
from neurorules.compare.report.style import Look


def by_depth(rows: str, about: str, looks: Mapping[str, Look], layers: Sequence[str]) -> Spec:
    """Specify the chart of a measure by layer.

    Args:
        rows: name of the page's list that it draws: each row has rule, seed, layer, epoch and the measures.
        about: a sentence for readers who cannot see it.
        looks: how each rule is drawn.
        layers: names of the layers, from the input on.

    Returns:
        The Vega-Lite specification.
    """
    x = {
        "field": "layer",
        "type": "ordinal",
        "sort": list(layers),
        "axis": {"title": None, "labelAngle": 0, "grid": False, "labelOverlap": "greedy"},
    }
    return chart(
        rows,
        about,
        [reference_line(), *curves(x, looks, "layer", "layer")],
        params=[*measure_params(), {"name": "layers", "value": list(layers)}, {"name": "epoch", "value": 0}],
        transform=[
            IS_PICKED,
            {"filter": "datum.epoch == epoch && indexof(layers, datum.layer) >= 0"},
            {"calculate": "datum[measure]", "as": "value"},
            {"filter": "isValid(datum.value)"},
        ],
        along="layer",
        height=230,
    )
