"""Firing of a population: its rate, and the irregularity of the intervals between spikes."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from neurorules.brian2_steps.backend import load_brian2

INTERVALS = 3
"""The smallest number of intervals of a neuron that is included in the irregularity."""


class Firing(NamedTuple):
    """The statistics of a population.

    Args:
        rate_hz: spikes of a neuron in a second, the mean over all neurons.
        cv: standard deviation of a neuron's intervals over their mean, the mean over neurons with at least three
            intervals; nan without any. It is 0 for a clock and 1 for a Poisson process.
    """

    rate_hz: float
    cv: float


def firing(spikes: Any, start: Any, stop: Any) -> Firing:
    """Measure the firing of a population between two times.

    Args:
        spikes: the `brian2.SpikeMonitor` of the population.
        start: the beginning of the interval, with Brian2's units.
        stop: the end of the interval.

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
