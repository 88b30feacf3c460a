"""Short-term plasticity through time: what of a population's spikes a connection transmits, step by step."""

from __future__ import annotations

import torch
from torch import Tensor

from neurorules.contracts.efficacy import VARIABLES
from neurorules.contracts.series import Series
from neurorules.network.layer import Input


def transmitted(entry: Input, arriving: Series, steps: int, traces: dict[str, Tensor]) -> Series:
    """The spikes as a connection transmits them, of those that arrive at it; all of them where it has no efficacy.

    Args:
        entry: the connection.
        arriving: presynaptic activity, (T, B, *pre) or constant (B, *pre).
        steps: T.
        traces: state of the connection between windows, 2 x B x *pre numbers by name, moved on in place; at rest where
            the names are missing.

    Returns:
        What is transmitted, (T, B, *pre); `arriving` itself where there is no efficacy.
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
