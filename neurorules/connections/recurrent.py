"""Synapses from every neuron of a population to every neuron of the same population, one step late."""

from __future__ import annotations

from dataclasses import dataclass

from neurorules.connections._products import Matrix
from neurorules.language.ranges import ranged


@ranged("connection 'recurrent'")
@dataclass(frozen=True)
class Recurrent(Matrix):
    """I[t] = W s[t-1], W of shape (N, N) over the same population.

    Args:
        size: number of neurons N, >= 1.
    """

    recurrent = True


ENTRY = Recurrent
