"""Units that answer with signed spikes: they carry a reverse signal, which has two signs, through a spiking net."""

from __future__ import annotations

import torch
from torch import Tensor


def signed_spikes(current: Tensor, threshold: float | Tensor) -> Tensor:
    """Spikes -1, 0 or 1 of units without leak: u += I; a spike where |u| > threshold / 2, which takes `threshold` away.

    Their sum over time, times the threshold, is the current's, to half a threshold and while a spike a step is enough.

    Args:
        current: (T, B, *shape).
        threshold: > 0, a number or (*shape).

    Source: sigma-delta neurons with two signs, as in Yousefzadeh et al. 2019.
    """
    u = torch.zeros_like(current[0])
    spikes = torch.empty_like(current)
    for t in range(current.shape[0]):
        u = u + current[t]
        spikes[t] = torch.sign(u) * (u.abs() > threshold / 2)
        u = u - spikes[t] * threshold
    return spikes
