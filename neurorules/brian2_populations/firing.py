"""Firing of a population: its rate, and how irregular the intervals between spikes are."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from neurorules.brian2_steps.backend import load_brian2

INTERVALS = 3
"""Fewest intervals of a neuron that count for the irregularity."""


class Firing(NamedTuple):
    """The statistics of a population.

    Args:
        rate_hz: spikes of a neuron in a second, the mean over all neurons.
        cv: standard deviation of a neuron's intervals over their mean, the mean over neurons with at least three
            intervals; nan where there are none. It is 0 for a clock and 1 for a Poisson process.
    """

    rate_hz: float
    cv: float


def firing(spikes: Any, start: Any, stop: Any) -> Firing:
    """Measure how a population fires between two times.

    Args:
        spikes: its `brian2.SpikeMonitor`.
        start: begin of the time that counts, with Brian2's units.
        stop: its end.

    Returns:
        Rate and irregularity.
    """
    second = load_brian2().second
    times, neurons = np.asarray(spikes.t / second), np.asarray(spikes.i)
    begin, end = float(start / second), float(stop / second)
    inside = (times >= begin) & (times < end)
    order = np.lexsort((times[inside], neurons[inside]))
    times, neurons = times[inside][order], neurons[inside][order]
    trains = np.split(times, np.flatnonzero(np.diff(neurons)) + 1)
    intervals = [np.diff(train) for train in trains if len(train) > INTERVALS]
    cv = float(np.mean([one.std() / one.mean() for one in intervals])) if intervals else float("nan")
    return Firing(len(times) / len(spikes.source) / (end - begin), cv)
