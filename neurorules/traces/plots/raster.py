"""Spike rasters: one panel for each sample, one band for each layer, the input at the bottom."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure

from neurorules.language.errors import UserError
from neurorules.language.plain_text import counted
from neurorules.traces.plots._shared import (
    LABEL,
    TITLE,
    TracePicture,
    layer_colours,
    new_figure,
    plain_array,
    time_axis,
    title,
    title_colour,
    trace_axis,
)
from neurorules.traces.store import TraceReader
from neurorules.traces.writer import SPIKES

BAND, GAP = 1.0, 0.09  # heights on the axis of a layer's band, and of the space between two bands
MOST_PANELS = 12
MOST_MARKS = 2000
"""The largest number of spikes of a band that are drawn as lines of a vector picture, of 140 bytes each; more of them
are drawn as dots."""


@dataclass(frozen=True)
class Raster(TracePicture):
    """Spikes of each layer, one panel for each sample."""

    def of_trace(self, reader: TraceReader, samples: Sequence[int] | None) -> Figure:
        chosen = list(range(min(len(reader), MOST_PANELS)) if samples is None else samples)
        columns = _columns(len(chosen))
        rows = -(-len(chosen) // columns)
        bands = sum(SPIKES in reader.variables(layer) for layer in reader.layers)
        width, height = {1: 7.2, 2: 4.6}.get(columns, 3.2), max(1.8, 0.9 * bands) + 0.7
        what = "Spikes" if reader.header.spiking else "Activity (dark: high)"
        heading = f"{what} of each layer, rule {reader.header.rule}"
        figure = new_figure(width * columns + 0.8, height * rows + 0.5, heading)
        panels = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False)
        for number, axis in enumerate(panels.flat):
            if number < len(chosen):
                draw_raster(axis, reader, chosen[number], labelled=number % columns == 0)
            else:
                axis.set_visible(False)
        for axis in panels.flat[max(0, len(chosen) - columns) : len(chosen)]:
            trace_axis(axis, reader)
            axis.tick_params(labelbottom=True)
        return figure


def raster(axis: Axes, spikes: Any, sample: int = 0, dt_ms: float | None = None) -> Axes:
    """Draw spikes in memory, such as those of snnTorch: each layer is a band of the same height, with neuron 0 at the
    bottom.

    Args:
        axis: the axis to draw on.
        spikes: an array or tensor (T, N) or (T, B, N), or several by name, `{"hidden": spk1, "output": spk2}`; every
            nonzero value is a spike. Maps (T, B, C, H, W) are drawn flat.
        sample: the index of the sample, from 0.
        dt_ms: length of a step in ms; None for an axis of steps.

    Returns:
        The axis.

    Raises:
        UserError: the shape is another one, or there is no such sample.
    """
    layers = spikes if isinstance(spikes, Mapping) else {"": spikes}
    flat = {name: _one_sample(name, plain_array(values), sample) for name, values in layers.items()}
    if not flat:
        raise UserError("no layer was given to draw. Hand over spikes, (T, N) or (T, B, N)")
    steps = max(len(values) for values in flat.values())
    for number, (values, colour) in enumerate(zip(flat.values(), _colours(flat), strict=True)):
        t, neuron = np.nonzero(values)
        _band(axis, number, colour, t, neuron, values.shape[1], steps)
    _dress(axis, {name: values.shape[1] for name, values in flat.items()}, steps, True)
    time_axis(axis, steps, dt_ms)
    return axis


def _one_sample(name: str, values: np.ndarray, sample: int) -> np.ndarray:
    if values.ndim not in (2, 3, 5):
        raise UserError(
            f"the spikes{f' of {name}' if name else ''} have shape {values.shape}. Give (T, N) or (T, B, N)"
        )
    if values.ndim == 2:
        return values
    if not 0 <= sample < values.shape[1]:
        raise UserError(f"there is no sample {sample}, the spikes hold {values.shape[1]}, counted from 0")
    return values[:, sample].reshape(len(values), -1)


def draw_raster(axis: Axes, reader: TraceReader, sample: int, labelled: bool = True) -> Axes:
    """Draw the spikes of one sample.

    Each layer has a band of the same height, its neurons spread over it, neuron 0 at the bottom.

    Args:
        axis: the axis to draw on.
        reader: an open trace.
        sample: position in the trace.
        labelled: whether the bands carry the layers' names.

    Returns:
        The axis.

    Raises:
        UserError: no layer of the trace has spikes, or there is no such sample.
    """
    layers = [layer for layer in reader.layers if SPIKES in reader.variables(layer)]
    if not layers:
        raise UserError(f"{reader.path.name} holds no spikes. Record them: --variables {SPIKES}")
    for number, (layer, colour) in enumerate(zip(layers, _colours(layers), strict=True)):
        if not reader.header.spiking:
            _shades(axis, number, colour, reader.dense(sample, layer, SPIKES))
            continue
        events = reader.events(sample, layer)
        _band(axis, number, colour, events.t, events.neuron, reader.header.neurons(layer), reader.steps)
    _dress(axis, {layer: reader.header.neurons(layer) for layer in layers}, reader.steps, labelled)
    axis.set_title(title(reader, sample), loc="left", fontsize=TITLE, color=title_colour(reader, sample))
    return axis


def _colours(layers: Collection[str]) -> list[str]:
    colour_of = layer_colours(layers)
    return [colour_of[layer] for layer in layers]


def _band(
    axis: Axes, number: int, colour: str, t: np.ndarray, neuron: np.ndarray, neurons: int, steps: int
) -> None:  # fmt: skip
    """Draw one layer's spikes in its place from below."""
    bottom = number * (BAND + GAP)
    axis.axhspan(bottom, bottom + BAND, color=colour, alpha=0.07, linewidth=0)
    middle = bottom + BAND * (neuron + 0.5) / neurons
    # A mark is as high as its neuron's row, but in a large population at least as high as can be seen.
    half = BAND * max(0.42 / neurons, 0.011)
    if not len(t):
        axis.text(0.5, bottom + BAND / 2, "no spikes", transform=axis.get_yaxis_transform(), ha="center", va="center",
                  fontsize=LABEL, color=colour, alpha=0.7)  # fmt: skip
    marks = axis.vlines(t, middle - half, middle + half, colors=colour, linewidth=_mark_width(steps))
    marks.set_rasterized(len(t) > MOST_MARKS)


def _shades(axis: Axes, number: int, colour: str, activity: np.ndarray) -> None:
    """Draw one layer's activity (T, N), of units that do not spike, as shades in its place from below."""
    bottom = number * (BAND + GAP)
    shades = LinearSegmentedColormap.from_list(colour, [(colour, 0.07), (colour, 1.0)])
    extent = (-0.5, len(activity) - 0.5, bottom, bottom + BAND)
    axis.imshow(activity.T, shades, aspect="auto", origin="lower", interpolation="nearest", extent=extent, vmin=0.0)


def _dress(axis: Axes, neurons: Mapping[str, int], steps: int, labelled: bool) -> None:
    time_axis(axis, steps, None, labelled=False)
    axis.set_ylim(-GAP, len(neurons) * (BAND + GAP))
    middles = [number * (BAND + GAP) + BAND / 2 for number in range(len(neurons))]
    names = [f"{name}\n{counted(count, 'neuron')}".lstrip() for name, count in neurons.items()]
    axis.set_yticks(middles, names, fontsize=LABEL)
    axis.tick_params(axis="y", length=0, labelleft=labelled)
    axis.tick_params(axis="x", labelsize=LABEL)
    if labelled:
        for text, colour in zip(axis.get_yticklabels(), _colours(neurons), strict=True):
            text.set_color(colour)
    axis.spines[["top", "right", "left"]].set_visible(False)


def _columns(panels: int) -> int:
    """Up to three panels are in one row, four in a square; for more, the arrangement with the fewest empty places is
    used.
    """
    if panels <= 4:
        return 2 if panels == 4 else panels
    return min((4, 5, 3), key=lambda columns: -panels % columns)


def _mark_width(steps: int) -> float:
    """The width of a mark in points: most of the width of a step, unless that is less than a hairline."""
    return min(2.2, max(0.6, 50.0 / steps))


ENTRY = Raster
