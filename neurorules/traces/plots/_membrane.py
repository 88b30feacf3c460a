"""The membrane of one neuron over time, for pictures of several kinds."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.axes import Axes

from neurorules.language.errors import UserError
from neurorules.traces.plots._shared import BLUE, FAINT, GREY, INK, dress, plain_array, time_axis

FEW_STEPS = 60
"""Largest number of steps for which each step is marked."""


def voltage(
    axis: Axes, v: Any, spikes: Any = None, v_threshold: float | None = 1.0, *, colour: str = BLUE,
    dt_ms: float | None = None, threshold_mV: float | None = None,
) -> Axes:  # fmt: skip
    """Draw the membrane of one neuron in units of its threshold, with a dashed threshold and marked spikes.

    A spike is marked at the membrane, or at the threshold if the membrane has already been reset.

    Args:
        axis: the axis to draw on.
        v: (T,) array or tensor, such as snnTorch's `mem[:, sample, neuron]`.
        spikes: (T,), nonzero in steps with a spike; None for none.
        v_threshold: the threshold, > 0; None for a neuron without one.
        dt_ms: length of a step.
        threshold_mV: the threshold in mV, > 0, to draw the membrane in mV above rest; None to draw it in units of the
            threshold.

    Raises:
        UserError: the shape is another one.
    """
    membrane = plain_array(v)
    fired = np.zeros(membrane.shape, bool) if spikes is None else plain_array(spikes) != 0
    if membrane.ndim != 1 or fired.shape != membrane.shape:
        raise UserError(f"v has shape {membrane.shape}, spikes {fired.shape}. Give one neuron's, (T,) each")
    one = threshold_mV or 1.0
    steps, scaled = np.arange(len(membrane)), membrane / (v_threshold or 1.0) * one
    axis.axhline(0, color=FAINT, linewidth=0.6, zorder=0)
    if v_threshold is not None:
        axis.axhline(one, color=GREY, linewidth=0.8, linestyle=(0, (4, 3)), zorder=1, label="threshold")
    few = len(membrane) <= FEW_STEPS
    axis.plot(steps, scaled, color=colour, linewidth=1.1, marker="o" if few else "", markersize=2.2, zorder=2)
    marks = scaled[fired] if v_threshold is None else np.maximum(scaled[fired], one)
    axis.plot(steps[fired], marks, "o", color=INK, markersize=4.5, zorder=3, label="spike")
    axis.margins(y=0.15)
    time_axis(dress(axis), len(membrane), dt_ms)
    return axis
