"""Memory foreseen: whether a circuit fits, asked before its weights are drawn."""

from __future__ import annotations

import itertools

from neurorules.brian2_continuous.parts.layers import Net
from neurorules.runs.memory import check_room

SYNAPSE = 24
"""Bytes of a synapse at least: its weight here and where it is run, and there the two units that it joins."""


def check_net(net: Net) -> None:
    """Whether the synapses of a circuit fit in memory.

    Raises:
        UserError: they do not.
    """
    sizes = (net.inputs, *net.hidden, net.classes)
    synapses = sum(below * above for below, above in itertools.pairwise(sizes))
    synapses += sum(size**2 for number, size in enumerate(net.hidden, start=1) if net.loops(number))
    what = f"a net of {synapses:,} synapses in continuous time"
    check_room(what, synapses * SYNAPSE, "Use a smaller --net, or --path torch")
