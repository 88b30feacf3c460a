"""Short-term plasticity through time: what of a population's spikes a connection transmits, step by step."""

from __future__ import annotations

import torch
from torch import Tensor

from neurorules.contracts.efficacy import VARIABLES
from neurorules.contracts.series import Series
from neurorules.network.layer import Input


def transmitted(entry: Input, arriving: Series, steps: int, kept: dict[str, Tensor]) -> Series:
    """What is left of the spikes that arrive at a connection; all of them where it has no efficacy.

    Args:
        entry: the connection.
        arriving: (T, B, *pre) or constant (B, *pre).
        steps: T.
        kept: its state between windows, 2 x B x *pre numbers, moved on in place; rest where it has none.
    """
    efficacy = entry.connection.efficacy
    if efficacy is None:
        return arriving
    values = arriving.over_time(steps)
    names = [f"efficacy.{entry.name}.{name}" for name in VARIABLES]
    use, depleted = (kept.get(name, torch.zeros_like(values[0])) for name in names)
    found = torch.empty_like(values, memory_format=torch.contiguous_format)
    for t in range(steps):
        found[t], use, depleted = efficacy.step(use, depleted, values[t])
    kept |= zip(names, (use, depleted), strict=True)
    return Series(found, False)
