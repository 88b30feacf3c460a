"""A measure by layer, from the input on, at one epoch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from neurorules.compare.report.charts._shared import IS_PICKED, Spec, chart, curves, measure_params, reference_line
from neurorules.compare.report.style import Look


def by_depth(rows: str, about: str, looks: Mapping[str, Look], layers: Sequence[str]) -> Spec:
    """The chart.

    Args:
        rows: the list of the page: each row has rule, seed, layer, epoch and the measures.
        about: one sentence for those who cannot see it.
        looks: how each rule is drawn.
        layers: from the input on.
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
        height=230,
    )
