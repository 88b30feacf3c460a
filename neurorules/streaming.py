"""Running averages that a neuron can keep alone: exponential in samples, so that they do not see batches.

A trial of B samples moves an average by 1 - (1 - rate)^(B / REFERENCE) of the way to the trial's mean: the time
constant is a number of samples, whatever the batch size. `mass` corrects for the start from zero (Kingma & Ba 2015).
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

REFERENCE = 128
"""Samples after which an average has moved by `rate`."""


class RunningMean(NamedTuple):
    """Exponential average: `weighted` (*shape) and the weight `mass` () it has gathered so far, in [0, 1]."""

    weighted: Tensor
    mass: Tensor

    def estimate(self) -> Tensor:
        """The average, 0 before the first sample."""
        return self.weighted / self.mass.clamp(min=1e-12)

    def updated(self, value: Tensor, samples: int, rate: float) -> RunningMean:
        """The average after a trial of `samples` samples whose mean is `value` (*shape)."""
        step = 1 - (1 - rate) ** (samples / REFERENCE)
        return RunningMean(self.weighted + step * (value - self.weighted), self.mass + step * (1 - self.mass))


def nothing_yet(shape: tuple[int, ...], like: Tensor) -> RunningMean:
    """An average of nothing, on the device and in the precision of `like`."""
    return RunningMean(torch.zeros(shape, dtype=like.dtype, device=like.device), like.new_zeros(()))
