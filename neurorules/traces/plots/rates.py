"""Histograms of firing rates, layer by layer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from neurorules.language.errors import UserError
from neurorules.language.plain_text import counted
from neurorules.traces.plots._shared import (
    BLUE,
    INK,
    LABEL,
    TITLE,
    TracePicture,
    dress,
    layer_colours,
    new_figure,
    plain_array,
)
from neurorules.traces.store import TraceReader
from neurorules.traces.writer import SPIKES

MOST_BINS = 40


@dataclass(frozen=True)
class Rates(TracePicture):
    """Mean firing rates of each layer's neurons over the samples of a trace, or the chosen ones."""

    def of_trace(self, reader: TraceReader, samples: Sequence[int] | None) -> Figure:
        layers = [layer for layer in reader.layers if SPIKES in reader.variables(layer)]
        if not layers:
            raise UserError(f"{reader.path.name} holds no spikes. Record them: --variables {SPIKES}")
        if not reader.header.spiking:
            raise UserError(
                f"the units of {reader.path.name} do not spike, so that they have no firing rate: S is their activity. "
                f"Draw it: --kind raster, or train units that spike: --neuron lif"
            )
        chosen = list(range(len(reader)) if samples is None else samples)
        trial = reader.steps * reader.header.dt_ms / 1000.0  # s
        extent = f"{counted(len(chosen), 'sample')} of {counted(reader.steps, 'step')}"
        heading = f"Firing rates over {extent}, rule {reader.header.rule}"
        figure = new_figure(7.2, 1.5 * len(layers) + 0.9, heading)
        axes = figure.subplots(len(layers), 1, sharex=True, squeeze=False)[:, 0]
        colours = layer_colours(reader.layers)
        for axis, layer in zip(axes, layers, strict=True):
            spikes = np.zeros(reader.header.neurons(layer))
            for sample in chosen:
                spikes += np.bincount(reader.events(sample, layer).neuron, minlength=len(spikes))
            frequencies, one = spikes / (len(chosen) * trial), 1 / (len(chosen) * trial)
            rates(axis, frequencies, one, colours[layer])
            axis.set_title(
                f"{layer}, {counted(len(spikes), 'neuron')}", loc="left", fontsize=TITLE, color=colours[layer]
            )
            axis.label_outer()
        unit = f"mean firing rate (Hz; 1 step = {reader.header.dt_ms:g} ms)"
        axes[-1].set_xlabel(unit, fontsize=LABEL)
        return figure


def rates(axis: Axes, rate: Any, one_spike: float | None = None, colour: str = BLUE) -> Axes:
    """Draw a histogram of rates, with their mean and the share of silent neurons.

    Args:
        axis: the axis to draw on.
        rate: (N,) array or tensor, in Hz, >= 0.
        one_spike: the rate of a single spike in Hz, so that bins hold whole numbers of spikes; None for bins of any
            width.
        colour: the colour of the bars.

    Returns:
        The axis.
    """
    numbers = plain_array(rate).astype(float).reshape(-1)
    top = float(numbers.max(initial=0.0)) or one_spike or 1.0
    width = top / MOST_BINS
    if one_spike is not None:
        width = one_spike * max(1, np.ceil(top / one_spike / MOST_BINS))
    edges = np.arange(-0.5, np.ceil(top / width) + 1) * width
    axis.hist(numbers, edges.tolist(), color=colour, alpha=0.75, edgecolor="white", linewidth=0.4)
    axis.set_ylim(0, 1.3 * axis.get_ylim()[1])
    axis.axvline(numbers.mean(), color=INK, linewidth=1.0, linestyle=(0, (4, 3)))
    silent = int((numbers == 0).sum())
    note = f"mean {numbers.mean():.3g} Hz\nsilent: {silent} ({silent / len(numbers):.0%})"
    axis.text(0.99, 0.95, note, transform=axis.transAxes, ha="right", va="top", fontsize=LABEL, color=INK,
              bbox={"facecolor": "white", "alpha": 0.8, "edgecolor": "none", "pad": 1.5})  # fmt: skip
    axis.set_ylabel("neurons", fontsize=LABEL)
    axis.set_xlabel("mean firing rate (Hz)", fontsize=LABEL)
    axis.yaxis.set_major_locator(MaxNLocator(nbins=4, integer=True))
    return dress(axis)


ENTRY = Rates
