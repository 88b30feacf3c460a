"""The chart of a measure over the epochs: learning curves, alignment, and what a layer does."""

from __future__ import annotations

from collections.abc import Mapping

from neurorules.compare.report.charts._shared import IS_PICKED, Spec, chart, curves, measure_params, reference_line
from neurorules.compare.report.style import Look


def over_epochs(rows: str, about: str, looks: Mapping[str, Look], height: int = 190) -> Spec:
    """Specify the chart of a measure over the epochs.

    Args:
        rows: name of the page's list that it draws: each row has rule, seed, epoch and the measures.
        about: a sentence for readers who cannot see it.
        looks: how each rule is drawn.
        height: in pixels.

    Returns:
        The Vega-Lite specification.
    """
    x = {
        "field": "epoch",
        "type": "quantitative",
        "axis": {"title": "epoch", "tickMinStep": 1, "format": "d", "tickCount": 6, "grid": False},
        "scale": {"zero": False, "nice": False, "padding": 8},
    }
    return chart(
        rows,
        about,
        [reference_line(), *curves(x, looks, "epoch", "epoch")],
        params=measure_params(),
        transform=[IS_PICKED, {"calculate": "datum[measure]", "as": "value"}, {"filter": "isValid(datum.value)"}],
        along="epoch",
        height=height,
    )
