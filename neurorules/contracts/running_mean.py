"""Running averages that a neuron can keep alone: exponential in samples, so that they do not see batches.

A trial of B samples moves an average by max(1 - (1 - rate)^(B / REFERENCE), B / (PRIOR + samples seen)) of the way to
the trial's mean: the time constant is a number of samples, whatever the batch size, and a young average counts every
sample alike, its start as PRIOR of them, so that the first samples of a batch of one do not decide a variance.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

REFERENCE = 128
"""Samples after which an old average has moved by `rate`."""
RATE = 0.1
"""Share of the way to the mean of `REFERENCE` samples that every running average of the library moves. Source:
measured on validation splits, docs/results."""
PRIOR = 16
"""Samples that the start of an average counts for. Source: chosen on validation splits, batch sizes 1 to 128."""


class RunningMean(NamedTuple):
    """An exponential average: its value (*shape), and how many samples it has seen ()."""

    value: Tensor
    seen: Tensor

    def updated(self, value: Tensor, samples: int, rate: float) -> RunningMean:
        """The average after a trial of `samples` samples whose mean is `value` (*shape)."""
        young = samples / (PRIOR + self.seen + samples)
        step = young.clamp(min=1 - (1 - rate) ** (samples / REFERENCE))
        return RunningMean(self.value + step * (value - self.value), self.seen + samples)


def start_at(value: float, shape: tuple[int, ...], like: Tensor) -> RunningMean:
    """An average that has seen nothing and stands at `value`, on the device and in the precision of `like`."""
    start = torch.full(shape, value, dtype=like.dtype, device=like.device)
    return RunningMean(start, like.new_zeros(()))
