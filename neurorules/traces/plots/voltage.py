"""Membranes of single neurons over time, with threshold and spikes, and the read-out's membranes by class.

Membranes of equations in continuous time are drawn in mV and ms, by the scale in the header of the recording.
"""

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
    GREY,
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
    trace_axis,
)
from neurorules.traces.store import TraceReader
from neurorules.traces.writer import SPIKES

MEMBRANE, IN_VOLT, THRESHOLD_IN_VOLT = "v", "V_m", "V_threshold"
MOST_SAMPLES = 3


@ranged("plot 'voltage'")
@dataclass(frozen=True)
class Voltage(TracePicture):
    """Membranes before reset, of a few of each layer's neurons, chosen from busy to quiet in the first sample drawn.

    Args:
        neurons: the number of neurons of each layer, >= 1.
    """

    neurons: Count = 2

    def of_trace(self, reader: TraceReader, samples: Sequence[int] | None) -> Figure:
        variables = {layer: variable for layer in reader.layers if (variable := _variable(reader, layer)) is not None}
        if not variables:
            raise UserError(f"{reader.path.name} holds no membranes. Record them: --variables {SPIKES},{MEMBRANE}")
        chosen = list(samples or [0])[:MOST_SAMPLES]
        rows = [(layer, neuron) for layer in variables for neuron in self._neurons(reader, layer, chosen[0])]
        size = (max(7.2, 4.0 * len(chosen)), 1.05 * len(rows) + 1.1)
        figure = new_figure(*size, f"{_heading(reader.header)}, rule {reader.header.rule}")
        grid = figure.subplots(len(rows), len(chosen), sharex=True, sharey="row", squeeze=False)
        colours = layer_colours(reader.layers)
        for axes, (layer, neuron) in zip(grid, rows, strict=True):
            for axis, sample in zip(axes, chosen, strict=True):
                _draw_row(axis, reader, (layer, variables[layer]), neuron, sample, colours[layer])
            unit = _unit(reader, layer)
            which = f"{layer}\na line a class" if neuron is None else f"{layer}, {neuron}\n{unit}"
            axes[0].set_ylabel(which, fontsize=LABEL, color=INK if neuron is None else colours[layer])
        for axis, sample in zip(grid[0], chosen, strict=True):
            axis.set_title(title(reader, sample), loc="left", fontsize=TITLE, color=title_colour(reader, sample))
        for axis in grid[-1]:
            trace_axis(axis, reader)
        figure.align_ylabels()
        return figure

    def _neurons(self, reader: TraceReader, layer: str, sample: int) -> list[int | None]:
        """The neurons that fire, from busy to quiet; None for a layer without spikes, which is drawn as a whole."""
        if SPIKES not in reader.variables(layer):
            return [None]
        spikes = np.abs(reader.dense(sample, layer, SPIKES)).sum(0)
        ranked = np.argsort(-spikes, kind="stable")
        firing = ranked[: max(int((spikes > 0).sum()), self.neurons)]
        places = (np.arange(min(self.neurons, len(ranked))) + 0.5) / self.neurons * len(firing)
        return [int(firing[int(place)]) for place in places]


def readout(axis: Axes, v: Any, label: int = -1, prediction: int = -1, names: Sequence[str] = ()) -> Axes:
    """Draw the membranes of a read-out: the sample's class in blue, a different predicted class in red, and the rest
    faint.

    Args:
        axis: the axis to draw on.
        v: (T, C) array or tensor.
        label, prediction: the class of the sample, and the predicted class; -1 for unknown.
        names: the names of the classes; their numbers by default.

    Returns:
        The axis.
    """
    membranes = plain_array(v)
    axis.axhline(0, color=FAINT, linewidth=0.6, zorder=0)
    marker = "o" if len(membranes) <= FEW_STEPS else ""
    for number, membrane in enumerate(membranes.swapaxes(0, 1)):
        if number not in (label, prediction):
            axis.plot(membrane, color=FAINT, linewidth=0.8, zorder=1)
    words = {prediction: ("read as", RED), label: ("class", BLUE)}  # the class takes precedence if both are equal
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


def _draw_row(
    axis: Axes, reader: TraceReader, row: tuple[str, str], neuron: int | None, sample: int, colour: str
) -> None:
    """Draw the membranes of a layer, `row`, by the variable that holds them."""
    (layer, variable), header = row, reader.header
    membranes, one = reader.dense(sample, layer, variable), header.scale.get("threshold_mV")
    if neuron is None:
        outcome = reader.samples[sample]
        populations = "population" in (header.config.get("scores"), header.recording.get("scores"))
        marked = () if populations else (outcome.label, outcome.prediction, header.classes)  # no neuron is one class
        readout(axis, membranes, *marked)
        return
    if variable == IN_VOLT:
        membranes, one = membranes * 1000 / (one or 1.0), one or 1.0
    fired = reader.dense(sample, layer, SPIKES)[:, neuron] if header.spiking else None
    voltage(axis, membranes[:, neuron], fired, threshold_of(header), colour=colour, threshold_mV=one)
    if THRESHOLD_IN_VOLT in reader.variables(layer):
        risen = 1000 * reader.dense(sample, layer, THRESHOLD_IN_VOLT)[:, neuron]
        axis.plot(risen, color=GREY, linewidth=0.8, linestyle=(0, (1, 1.5)), zorder=1)
    axis.set_xlabel("")


def _variable(reader: TraceReader, layer: str) -> str | None:
    """The variable that holds a layer's membranes, as it was recorded; None if there is none."""
    return next((name for name in (IN_VOLT, MEMBRANE) if name in reader.variables(layer)), None)


def _unit(reader: TraceReader, layer: str) -> str:
    """The name of a layer's membranes along y, with the unit in which they are drawn."""
    in_mv = _variable(reader, layer) == IN_VOLT or "threshold_mV" in reader.header.scale
    return "V (mV)" if in_mv else "v (thresholds)"


def _heading(header: TraceHeader) -> str:
    when = "at the end of each step" if header.continuous else "before reset"
    return f"Membranes {when}" + (" (dots: spikes, dashed: threshold)" if header.spiking else "")


def threshold_of(header: TraceHeader) -> float | None:
    """The threshold of a trace's hidden neurons; 1 if it is not known, None for neurons without spikes."""
    from neurorules.neurons import NEURONS

    text = header.config.get("neuron")
    if header.continuous or text is None:
        return 1.0 if header.spiking else None
    neuron = NEURONS.make(text)
    return float(neuron.scale) if neuron.spiking else None


ENTRY = Voltage
__all__ = ["ENTRY", "Voltage", "readout", "voltage"]
