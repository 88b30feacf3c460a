"""Low-pass traces of a layer's spikes, for signals that see all steps of a trial at once."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor


def traces(spikes: Float[Tensor, "T B N"], decay: float) -> Float[Tensor, "T B N"]:
    """Compute the traces x[t] = decay x[t-1] + S[t] of all steps at once, as one matrix product over time.

    Args:
        spikes: S, (T, B, N).
        decay: in one step, in [0, 1).

    Returns:
        x, (T, B, N).
    """
    step = torch.arange(spikes.shape[0], device=spikes.device, dtype=spikes.dtype)
    between = step[:, None] - step
    weights = torch.where(between >= 0, decay ** between.clamp(min=0), torch.zeros_like(between))
    return torch.tensordot(weights, spikes, 1)
