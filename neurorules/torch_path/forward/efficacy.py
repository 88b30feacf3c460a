"""Short-term plasticity through time: the share of each spike that a connection transmits, step by step."""

from __future__ import annotations

import torch
from torch import Tensor

from neurorules.contracts.efficacy import VARIABLES
from neurorules.contracts.series import Series
from neurorules.network.layer import Input


def transmitted(entry: Input, arriving: Series, steps: int, traces: dict[str, Tensor]) -> Series:
    """The spikes that a connection transmits, each scaled by the efficacy of its synapse.

    Args:
        entry: the connection.
        arriving: presynaptic activity, (T, B, *pre) or constant (B, *pre).
        steps: T.
        traces: state of the connection between windows, 2 x B x *pre numbers by name, updated in place; at rest where
            the names are missing.

    Returns:
        The transmitted activity, (T, B, *pre); `arriving` itself if the connection has no efficacy.
    """
    efficacy = entry.connection.efficacy
    if efficacy is None:
        return arriving
    values = arriving.over_time(steps)
    names = [f"efficacy.{entry.name}.{name}" for name in VARIABLES]
    use, depleted = (traces.get(name, torch.zeros_like(values[0])) for name in names)
    sent = torch.empty_like(values, memory_format=torch.contiguous_format)
    for t in range(steps):
        sent[t], use, depleted = efficacy.step(use, depleted, values[t])
    traces |= zip(names, (use, depleted), strict=True)
    return Series(sent, False)
