"""Histograms of weights while they are learned: one panel for each connection, one column for each snapshot."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from neurorules.contracts.parameter_key import WEIGHT, key_of
from neurorules.language.errors import UserError
from neurorules.language.plain_text import counted
from neurorules.language.ranges import Count, ranged
from neurorules.traces.plots._shared import (
    INK,
    LABEL,
    TITLE,
    TracePicture,
    dress,
    new_figure,
    plain_array,
)
from neurorules.traces.store import TraceReader

CHARGE = "threshold capacitance"
"""The unit of a weight that spikes pass: the charge that one of them brings."""
MOST_COLUMNS = 3


@ranged("plot 'histograms'")
@dataclass(frozen=True)
class Histograms(TracePicture):
    """Distributions of the weights of each connection over learning, from the snapshots in a trace.

    Args:
        bins: number of bins of a histogram, >= 1.
    """

    bins: Count = 40

    needs_samples: ClassVar[bool] = False

    def of_trace(self, reader: TraceReader, samples: Sequence[int] | None) -> Figure:
        header = reader.header
        names = [name for name in header.parameters if key_of(name).parameter == WEIGHT]
        if samples is not None:
            raise UserError("--samples are those of a trace, and weights belong to none of them. Leave it out")
        if not names or not reader.snapshots:
            raise UserError(
                f"{reader.path.name} holds no weights. Record them while a run learns: train ... --record w, and draw "
                f"traces.h5 in its folder"
            )
        columns = min(len(names), MOST_COLUMNS)
        rows = -(-len(names) // columns)
        figure = new_figure(max(6.0, 3.8 * columns), 2.9 * rows + 0.5, f"Weights over learning, rule {header.rule}")
        panels = figure.subplots(rows, columns, squeeze=False)
        for axis in panels.flat[len(names) :]:
            axis.set_visible(False)
        epochs = [snapshot.epoch for snapshot in reader.snapshots]
        for axis, name in zip(panels.flat, names, strict=False):
            values = [reader.parameter(place, name).reshape(-1) for place in range(len(epochs))]
            charged = header.units.get(name) == CHARGE
            histograms(axis, values, epochs, self.bins, _picocoulombs(header.scale) if charged else None)
            title = f"{name.removesuffix('.w')}, {counted(len(values[0]), 'synapse')}"
            axis.set_title(title, loc="left", fontsize=TITLE)
        return figure


def histograms(
    axis: Axes, weights: Sequence[Any], epochs: Sequence[int], bins: int = 40, picocoulombs: float | None = None
) -> Axes:
    """Draw the distribution of weights at several times: a column of shades each, with its quartiles.

    Args:
        axis: the axis to draw on.
        weights: arrays or tensors of any shape, one for each time, of finite numbers.
        epochs: the times, as many, in epochs.
        bins: number of bins over the range of all weights, >= 1.
        picocoulombs: the charge in pC that a spike brings through a weight of 1, for a second axis; None if weights are
            no charges.

    Returns:
        The axis.

    Raises:
        UserError: there are no weights, or the numbers of times and of weights differ.
    """
    columns = [plain_array(values).astype(float).reshape(-1) for values in weights]
    if not columns or len(columns) != len(epochs):
        raise UserError(f"{len(columns)} arrays of weights and {len(epochs)} epochs were given. Give one for each")
    low, high = min(values.min() for values in columns), max(values.max() for values in columns)
    edges = np.linspace(low, high, bins + 1) if high > low else np.linspace(low - 0.5, high + 0.5, bins + 1)
    shares = np.array([np.histogram(values, edges)[0] / len(values) for values in columns])
    places = np.arange(len(columns))
    # Square roots make a bin of few weights visible beside one of many.
    axis.pcolormesh(np.arange(len(columns) + 1) - 0.5, edges, np.sqrt(shares).T, cmap="Blues", vmin=0.0)
    quartiles = np.array([np.percentile(values, (25, 50, 75)) for values in columns]).T
    for values, width in zip(quartiles, (0.8, 1.6, 0.8), strict=True):
        axis.plot(places, values, color=INK, linewidth=width, marker="." if len(columns) == 1 else "")
    axis.xaxis.set_major_locator(MaxNLocator(integer=True))
    axis.xaxis.set_major_formatter(lambda place, _: _epoch(place, epochs))
    axis.set_xlabel("epoch (lines: quartiles)", fontsize=LABEL)
    axis.set_ylabel("w" if picocoulombs is None else "w (thresholds)", fontsize=LABEL)
    if picocoulombs is not None:
        one = picocoulombs
        charge = axis.secondary_yaxis("right", functions=(partial(np.multiply, one), partial(np.multiply, 1 / one)))
        charge.set_ylabel("charge of a spike (pC)", fontsize=LABEL)
        charge.tick_params(labelsize=LABEL)
    return dress(axis)


def _epoch(place: float, epochs: Sequence[int]) -> str:
    """The epoch of a column, for the axis; nothing between two columns."""
    whole = round(place)
    return str(epochs[whole]) if 0 <= whole < len(epochs) and abs(place - whole) < 1e-6 else ""


def _picocoulombs(scale: Any) -> float | None:
    """The charge in pC that counts as 1."""
    return scale["threshold_mV"] * scale["capacitance_pF"] / 1000 if scale else None


ENTRY = Histograms
