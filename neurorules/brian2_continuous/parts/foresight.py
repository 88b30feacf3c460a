"""Estimate the memory of a circuit before its weights are drawn."""

from __future__ import annotations

import itertools

from neurorules.brian2_continuous.parts.layers import Net
from neurorules.runs.memory import check_room

SYNAPSE = 24
"""The number of bytes that a synapse needs at least: its weight, in this process and in the one that runs the circuit,
and the indices of its two units there."""


def check_net(net: Net) -> None:
    """Check that the synapses of a circuit fit in memory.

    Raises:
        UserError: the memory that is free is too small for them.
    """
    sizes = (net.inputs, *net.hidden, net.classes)
    synapses = sum(below * above for below, above in itertools.pairwise(sizes))
    synapses += sum(size**2 for number, size in enumerate(net.hidden, start=1) if net.loops(number))
    what = f"a net of {synapses:,} synapses in continuous time"
    check_room(what, synapses * SYNAPSE, "Use a smaller --net, or --path torch")
