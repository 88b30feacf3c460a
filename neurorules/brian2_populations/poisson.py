"""Poisson input whose spikes are drawn beforehand: they are the same on each device, and do not use Brian2's
generator.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from neurorules.brian2_steps.backend import load_brian2
from neurorules.language.errors import UserError


def poisson_spikes(
    size: int, rate: Any, duration: Any, random: np.random.Generator, clock: Any = None, name: str = "poisson*"
) -> Any:
    """Make neurons that spike independently, in each step with the probability rate x dt, like Brian2's PoissonGroup.

    Args:
        size: number of neurons.
        rate: the rate in Hz with Brian2's units, of all neurons or of each, (size,).
        duration: the time for which they spike, with Brian2's units.
        random: generator of the draws.
        clock: the clock of the neurons; None for Brian2's default clock.
        name: the name of the Brian2 object.

    Returns:
        A `brian2.SpikeGeneratorGroup`, the source of Synapses.

    Raises:
        UserError: a rate is negative or above one spike in a step, or a unit does not fit.
    """
    brian2 = load_brian2()
    clock = clock or brian2.defaultclock
    for what, value, unit, word in (("rate", rate, brian2.Hz, "Hz"), ("duration", duration, brian2.ms, "ms")):
        if not brian2.have_same_dimensions(value, unit):
            raise UserError(f"{what} of Poisson input is {value}, which is not a number of {word}. Give one: 10*{word}")
    chance = np.broadcast_to(np.asarray(rate * clock.dt, dtype=np.float64), (size,))
    if (chance < 0).any() or (chance > 1).any():
        raise UserError(
            f"a rate lies outside of 0 to {1 / clock.dt}, or one spike in each step. Give another or a shorter step"
        )
    neurons, times = _spikes(chance, round(float(duration / clock.dt)), random)
    return brian2.SpikeGeneratorGroup(size, neurons, times * clock.dt, clock=clock, name=name)


def _spikes(chance: np.ndarray, steps: int, random: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Neurons and steps of spikes: gaps between spikes of one neuron are geometric."""
    active = np.flatnonzero(chance > 0)
    expected = chance.max(initial=0.0) * steps
    at_once = int(expected + 6 * np.sqrt(expected) + 10)
    last = np.full(len(active), -1)
    neurons, times = [np.zeros(0, dtype=int)], [np.zeros(0, dtype=int)]
    while len(active):
        here = last[:, None] + random.geometric(chance[active][:, None], (len(active), at_once)).cumsum(1)
        row, column = np.nonzero(here < steps)
        neurons.append(active[row])
        times.append(here[row, column])
        on = here[:, -1] < steps
        active, last = active[on], here[on, -1]
    return np.concatenate(neurons), np.concatenate(times)
