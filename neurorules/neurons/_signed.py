"""Units that answer with signed spikes: they carry a reverse signal, which has two signs, through a spiking net."""

from __future__ import annotations

import torch
from torch import Tensor


def signed_spikes(current: Tensor, threshold: Tensor, burst: int) -> Tensor:
    """Spike counts, negative for negative spikes, of units without leak: u += I; each spike takes `threshold` off |u|.

    A unit fires while |u| > threshold / 2, at most `burst` times a step. The sum of its spikes, times the threshold, is
    the sum of its current, to half a threshold and while so many spikes are enough.

    Args:
        current: (T, B, *shape).
        threshold: > 0, () or (*shape).
        burst: >= 1.

    Source: sigma-delta neurons with two signs, as in Yousefzadeh et al. 2019.
    """
    u = torch.zeros_like(current[0])
    spikes = torch.empty_like(current)
    for t in range(current.shape[0]):
        u = u + current[t]
        spikes[t] = (u / threshold).round().clamp_(-burst, burst)
        u = u - spikes[t] * threshold
    return spikes
