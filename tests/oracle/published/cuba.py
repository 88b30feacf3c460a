"""The CUBA network: leaky units with exponential currents, sparse and random, which keep themselves active.

T. P. Vogels, L. F. Abbott (2005), Signal propagation and logic gating in networks of integrate-and-fire neurons; values
of benchmark 2 of R. Brette et al. (2007), Simulation of networks of spiking neurons, as Brian2's example CUBA has them.
Voltages in mV, dimensionless inside.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from neurorules.brian2_continuous.parts.circuit import Circuit, Units, Wires, random_pairs
from neurorules.brian2_continuous.parts.machine import Spikes

SIZE, EXCITATORY, CONNECTED = 4000, 0.8, 0.02
"""Units, share of them that excites, probability of a wire."""
TAU_MS, TAU_E_MS, TAU_I_MS, REFRACTORY_MS = 20.0, 5.0, 10.0, 5.0
THRESHOLD, RESET, REST = -50.0, -60.0, -49.0
WEIGHT_E, WEIGHT_I = 60 * 0.27 / 10, -20 * 4.5 / 10
"""Jumps of a unit's excitatory and inhibitory drive at a spike, mV."""
EQUATIONS = (
    f"dv/dt = (ge + gi - (v - ({REST!r})))/({TAU_MS!r}*ms) : 1 (unless refractory)",
    f"dge/dt = -ge/({TAU_E_MS!r}*ms) : 1",
    f"dgi/dt = -gi/({TAU_I_MS!r}*ms) : 1",
)


def cuba(random: np.random.Generator, *, duration_ms: float = 1000.0, size: int = SIZE, dt_ms: float = 0.1) -> Circuit:
    """The network with random wires and membranes.

    Args:
        random: draws wires, then membranes, uniform between reset and threshold.
        duration_ms: of the one run.
        size: units; a smaller net than the paper's is wired more densely, so that a unit hears as many.
        dt_ms: step.
    """
    exciting = round(EXCITATORY * size)
    sizes = {"exc": exciting, "inh": size - exciting}
    probability = CONNECTED * SIZE / size
    wires = tuple(
        Wires(
            f"{source}_{target}",
            source,
            target,
            (),
            on_pre=(f"ge_post += {WEIGHT_E!r}",) if source == "exc" else (f"gi_post += {WEIGHT_I!r}",),
            pairs=random_pairs(sizes[source], sizes[target], probability, random),
        )
        for source in sizes
        for target in sizes
    )
    units = tuple(
        Units(
            name,
            count,
            EQUATIONS,
            threshold=f"v > {THRESHOLD!r}",
            reset=(f"v = {RESET!r}",),
            refractory_ms=REFRACTORY_MS,
            start={"v": random.uniform(RESET, THRESHOLD, count)},
            spikes=True,
        )
        for name, count in sizes.items()
    )
    return Circuit(units, wires, {}, 1, duration_ms, dt_ms, method="exact")


class Firing(NamedTuple):
    """rate_hz: spikes a unit and second; cv: standard deviation over mean of a unit's intervals, a mean over units."""

    rate_hz: float
    cv: float


def firing(spikes: Spikes, size: int, start_ms: float, stop_ms: float) -> Firing:
    """Statistics between two times, of units with at least three intervals there for the CV; NaN where none has."""
    inside = (spikes.times_ms >= start_ms) & (spikes.times_ms < stop_ms)
    units, times = spikes.units[inside], spikes.times_ms[inside]
    intervals = (np.diff(np.sort(times[units == unit])) for unit in range(size))
    ratios = [one.std() / one.mean() for one in intervals if len(one) >= 3]
    rate = len(times) / size / (stop_ms - start_ms) * 1000
    return Firing(rate, float(np.mean(ratios)) if ratios else float("nan"))
