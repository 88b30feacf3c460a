"""Synapses from every neuron of a population to every neuron of the same population, several steps late."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from neurorules.connections._products import Matrix
from neurorules.language.architecture import LONGEST_LOOP
from neurorules.language.ranges import Range, ranged


@ranged("connection 'recurrent_delayed'")
@dataclass(frozen=True)
class RecurrentDelayed(Matrix):
    """I[t] = W s[t-delay], W of shape (N, N) over the same population.

    Args:
        size: number of neurons N, >= 1.
        delay: steps after which a spike arrives, 2 to 1,000; `recurrent` is the connection of one step.
    """

    delay: Annotated[int, Range(f"[2, {LONGEST_LOOP}]")] = 2
    recurrent = True


ENTRY = RecurrentDelayed
