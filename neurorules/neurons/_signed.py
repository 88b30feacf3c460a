"""Units with signed spikes, which carry the reverse signal of `spiking_bsp` through a spiking net."""

from __future__ import annotations

import torch
from torch import Tensor


def signed_spikes(current: Tensor, threshold: Tensor, burst: int) -> Tensor:
    """Signed spike counts of units without leak: u += I, and each spike reduces |u| by `threshold`.

    A unit fires while |u| > threshold / 2, at most `burst` times per step. The sum of its spikes times the threshold
    equals the sum of its current up to half a threshold, unless `burst` limits it.

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
