"""Small figures for a notebook: a curve over epochs, bars with single values, and spikes of layers."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

INCHES, DPI = (3.6, 2.0), 110
BLUE, GREY = "#0072B2", "#4D4D4D"


def curve(values: Sequence[float], title: str) -> bytes:
    """Draw a value after each epoch as a curve.

    Args:
        values: the values after epochs 1, 2, ...
        title: the title of the axis.

    Returns:
        The picture, as PNG.
    """
    figure, axis = _new()
    axis.plot(range(1, len(values) + 1), values, color=BLUE, marker="o", markersize=3)
    axis.set_xlabel("epoch", fontsize=8)
    axis.set_ylabel(title, fontsize=8)
    return _png(figure)


def bars(values: Mapping[str, Sequence[float]], title: str) -> bytes:
    """Draw one bar per name, from 0 to the mean of its values, with a dot for each value if there are several.

    Args:
        values: values by name.
        title: the title of the axis.

    Returns:
        The picture, as PNG.
    """
    figure, axis = _new(0.5 + 0.28 * len(values))
    places = range(len(values))
    axis.barh(places, [float(np.mean(some)) for some in values.values()], color=BLUE, alpha=0.6, height=0.6)
    for place, some in zip(places, values.values(), strict=True):
        if len(some) > 1:
            axis.plot(some, [place] * len(some), ".", color=GREY, markersize=4)
    axis.set_yticks(places, [name if len(name) <= 40 else f"{name[:37]}..." for name in values], fontsize=7)
    axis.invert_yaxis()
    axis.set_xlabel(title, fontsize=8)
    return _png(figure)


def spikes(layers: Mapping[str, tuple[np.ndarray, np.ndarray, int]], steps: int) -> bytes:
    """Draw a spike raster of one sample, with the layers above each other.

    Args:
        layers: for each layer, from the first, the steps and the neurons of its spikes, and its number of neurons.
        steps: number of time steps.

    Returns:
        The picture, as PNG.
    """
    figure, axis = _new(2.4)
    base, middles = 0, []
    for number, (steps_of, neuron, neurons) in enumerate(layers.values()):
        axis.plot(steps_of, base + neuron, "|", color=(GREY, BLUE)[number % 2], markersize=2)
        middles.append(base + neurons / 2)
        base += neurons
    axis.set_xlim(-0.5, max(steps, 1) - 0.5)
    axis.set_ylim(-0.5, max(base, 1) - 0.5)
    axis.set_yticks(middles, list(layers), fontsize=7)
    axis.set_xlabel("time step", fontsize=8)
    return _png(figure)


def _new(height: float = INCHES[1]) -> tuple[Figure, Axes]:
    """A figure with one axis that is not registered with pyplot."""
    figure = Figure(figsize=(INCHES[0], max(height, 1.2)), dpi=DPI, layout="constrained")
    axis = figure.add_subplot()
    axis.tick_params(labelsize=7)
    axis.spines[["top", "right"]].set_visible(False)
    return figure, axis


def _png(figure: Figure) -> bytes:
    file = io.BytesIO()
    figure.savefig(file, format="png")
    return file.getvalue()
