"""Synapses from every presynaptic neuron to every postsynaptic one."""

from __future__ import annotations

from dataclasses import dataclass

from neurorules.connections._products import Matrix
from neurorules.language.ranges import ranged


@ranged("connection 'dense'")
@dataclass(frozen=True)
class Dense(Matrix):
    """I = W s, with weights W of shape (O, I).

    Args:
        size: number of postsynaptic neurons O, >= 1.
    """


ENTRY = Dense
