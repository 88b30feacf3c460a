"""Membranes of single neurons over time, with threshold and spikes; the read-out's, class by class."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from neurorules.language.errors import UserError
from neurorules.language.ranges import Count, ranged
from neurorules.traces.header import TraceHeader
from neurorules.traces.plots._membrane import FEW_STEPS, voltage
from neurorules.traces.plots._shared import (
    BLUE,
    FAINT,
    INK,
    LABEL,
    RED,
    TITLE,
    TracePicture,
    dress,
    layer_colours,
    new_figure,
    plain_array,
    time_axis,
    title,
    title_colour,
)
from neurorules.traces.store import TraceReader
from neurorules.traces.writer import SPIKES

MEMBRANE, MOST_SAMPLES = "v", 3


@ranged("plot 'voltage'")
@dataclass(frozen=True)
class Voltage(TracePicture):
    """Membranes before reset, of a few of each layer's neurons, chosen from busy to quiet in the first sample drawn.

    Args:
        neurons: how many of each layer, >= 1.
    """

    neurons: Count = 2

    def of_trace(self, reader: TraceReader, samples: Sequence[int] | None) -> Figure:
        layers = [layer for layer in reader.layers if MEMBRANE in reader.variables(layer)]
        if not layers:
            raise UserError(f"{reader.path.name} holds no membranes. Record them: --variables {SPIKES},{MEMBRANE}")
        chosen = list(samples or [0])[:MOST_SAMPLES]
        rows = [(layer, neuron) for layer in layers for neuron in self._neurons(reader, layer, chosen[0])]
        size = (max(7.2, 4.0 * len(chosen)), 1.05 * len(rows) + 1.1)
        figure = new_figure(
            *size, f"Membranes before reset (dots: spikes, dashed: threshold), rule {reader.header.rule}"
        )
        grid = figure.subplots(len(rows), len(chosen), sharex=True, sharey="row", squeeze=False)
        colours = layer_colours(reader.layers)
        for axes, (layer, neuron) in zip(grid, rows, strict=True):
            for axis, sample in zip(axes, chosen, strict=True):
                _draw_row(axis, reader, layer, neuron, sample, colours[layer])
            which = f"{layer}\na line a class" if neuron is None else f"{layer}, {neuron}\nv (thresholds)"
            axes[0].set_ylabel(which, fontsize=LABEL, color=INK if neuron is None else colours[layer])
        for axis, sample in zip(grid[0], chosen, strict=True):
            axis.set_title(title(reader, sample), loc="left", fontsize=TITLE, color=title_colour(reader, sample))
        for axis in grid[-1]:
            time_axis(axis, reader.steps, reader.header.dt_ms)
        figure.align_ylabels()
        return figure

    def _neurons(self, reader: TraceReader, layer: str, sample: int) -> list[int | None]:
        """Neurons from busy to quiet, of those that fire; None for all of a layer that sends no spikes, together."""
        if SPIKES not in reader.variables(layer):
            return [None]
        spikes = np.abs(reader.dense(sample, layer, SPIKES)).sum(0)
        ranked = np.argsort(-spikes, kind="stable")
        firing = ranked[: max(int((spikes > 0).sum()), self.neurons)]
        places = (np.arange(min(self.neurons, len(ranked))) + 0.5) / self.neurons * len(firing)
        return [int(firing[int(place)]) for place in places]


def readout(axis: Axes, v: Any, label: int = -1, said: int = -1, names: Sequence[str] = ()) -> Axes:
    """Draw the membranes of a read-out: the sample's class blue, another one that the network says red, the rest faint.

    Args:
        axis: where to draw.
        v: (T, C) array or tensor.
        label, said: the sample's class, and the one that the network says; -1 for unknown.
        names: of the classes; their numbers by default.

    Returns:
        The axis.
    """
    membranes = plain_array(v)
    axis.axhline(0, color=FAINT, linewidth=0.6, zorder=0)
    marker = "o" if len(membranes) <= FEW_STEPS else ""
    for number, membrane in enumerate(membranes.swapaxes(0, 1)):
        if number not in (label, said):
            axis.plot(membrane, color=FAINT, linewidth=0.8, zorder=1)
    words = {said: ("read as", RED), label: ("class", BLUE)}  # the class where both are one
    for number, (word, colour) in words.items():
        if 0 <= number < membranes.shape[1]:
            name = names[number] if number < len(names) else str(number)
            axis.plot(membranes[:, number], color=colour, linewidth=1.6, marker=marker, markersize=2.5, zorder=2,
                      label=f"{word} {name}")  # fmt: skip
    if axis.get_legend_handles_labels()[0]:
        axis.legend(fontsize=LABEL, frameon=False, loc="lower right", bbox_to_anchor=(1.0, 0.9), ncols=2,
                    borderaxespad=0.0)  # fmt: skip
    axis.margins(y=0.1)
    time_axis(dress(axis), len(membranes), None, labelled=False)
    return axis


def _draw_row(axis: Axes, reader: TraceReader, layer: str, neuron: int | None, sample: int, colour: str) -> None:
    membranes = reader.dense(sample, layer, MEMBRANE)
    if neuron is None:
        outcome = reader.samples[sample]
        readout(axis, membranes, outcome.label, outcome.prediction, reader.header.classes)
        return
    fired = reader.dense(sample, layer, SPIKES)[:, neuron]
    voltage(axis, membranes[:, neuron], fired, threshold_of(reader.header), colour=colour)
    axis.set_xlabel("")


def threshold_of(header: TraceHeader) -> float | None:
    """The threshold of a trace's hidden neurons; 1 where it does not say, None for neurons without spikes."""
    from neurorules.neurons import NEURONS

    text = header.config.get("neuron")
    if text is None:
        return 1.0
    neuron = NEURONS.make(text)
    return float(neuron.scale) if neuron.spiking else None


ENTRY = Voltage
__all__ = ["ENTRY", "Voltage", "readout", "voltage"]
