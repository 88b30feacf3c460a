"""Running averages that a neuron can compute alone. They decay with the number of samples, whatever the batch size.

A trial of B samples moves an average by max(1 - (1 - rate)^(B / REFERENCE), B / (PRIOR + samples before + B)) of the
way to the trial's mean. The time constant is therefore a number of samples, whatever the batch size. A new average
weights all samples equally and counts its initial value as PRIOR samples, so that the first samples do not decide a
variance when batches have one sample.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import NamedTuple

import torch
from jaxtyping import Float, Shaped
from torch import Tensor

REFERENCE = 128
"""Number of samples after which an average of many samples has moved by `rate`."""
RATE = 0.1
"""Share of the way to the mean of `REFERENCE` samples that every running average of the library moves. Source:
measured on validation splits, docs/results."""
PRIOR = 16
"""Number of samples that the initial value of an average counts for. Source: chosen on validation splits, batch sizes
1 to 128."""
_whole: ContextVar[int | None] = ContextVar("whole", default=None)


@contextmanager
def share_of(samples: int) -> Iterator[None]:
    """Inside this block, a trial is one part of a larger trial of `samples` samples. Averages move as far as for the
    larger trial.

    Weighted by the number of samples in each part, the averages of all parts then equal those of the larger trial.
    """
    token = _whole.set(samples)
    try:
        yield
    finally:
        _whole.reset(token)


class RunningMean(NamedTuple):
    """An exponential average over samples, and the number of samples that went into it.

    Args:
        value: the average (*shape).
        samples: number of samples that went into it, a scalar.
    """

    value: Float[Tensor, "*shape"]
    samples: Shaped[Tensor, ""]

    def updated(self, value: Float[Tensor, "*shape"], samples: int, rate: float) -> RunningMean:
        """The average after one more trial.

        Args:
            value: mean over the trial's samples, (*shape).
            samples: number of samples in the trial, >= 1.
            rate: share of the way that `REFERENCE` samples move an average of many samples, in (0, 1).

        Returns:
            The new average; this one is not changed.
        """
        samples = _whole.get() or samples
        young = samples / (PRIOR + self.samples + samples)
        step = young.clamp(min=1 - (1 - rate) ** (samples / REFERENCE))
        return RunningMean(self.value + step * (value - self.value), self.samples + samples)


def start_at(value: float, shape: tuple[int, ...], like: Float[Tensor, "..."]) -> RunningMean:
    """An average to which no sample has contributed yet.

    Args:
        value: the initial value of every element.
        shape: the shape of the average.
        like: a tensor that gives the device and the precision of the average.

    Returns:
        An average of that value and shape, of 0 samples.
    """
    start = torch.full(shape, value, dtype=like.dtype, device=like.device)
    return RunningMean(start, like.new_zeros(()))
