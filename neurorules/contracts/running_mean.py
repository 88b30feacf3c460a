"""Running averages that a neuron can keep alone. They decay by the number of samples, so that no average sees a batch.

A trial of B samples moves an average by max(1 - (1 - rate)^(B / REFERENCE), B / (PRIOR + samples before + B)) of the
way to the trial's mean. The time constant is therefore a number of samples, whatever the batch size. A young average
counts every sample alike and its start as PRIOR samples, so that the first samples of a batch of one do not decide a
variance.
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
"""Number of samples after which an old average has moved by `rate`."""
RATE = 0.1
"""Share of the way to the mean of `REFERENCE` samples that every running average of the library moves. Source:
measured on validation splits, docs/results."""
PRIOR = 16
"""Number of samples that the start of an average counts for. Source: chosen on validation splits, batch sizes 1 to
128."""
_whole: ContextVar[int | None] = ContextVar("whole", default=None)


@contextmanager
def share_of(samples: int) -> Iterator[None]:
    """Inside the block, a trial is one share of a trial of so many samples, whose number decides how far averages move.

    The averages of all shares, weighted by the samples of each, then are those of the whole trial.
    """
    token = _whole.set(samples)
    try:
        yield
    finally:
        _whole.reset(token)


class RunningMean(NamedTuple):
    """An exponential average over samples, with the number of samples it was made of.

    Args:
        value: the average (*shape).
        seen: number of samples it was made of, a scalar.
    """

    value: Float[Tensor, "*shape"]
    seen: Shaped[Tensor, ""]

    def updated(self, value: Float[Tensor, "*shape"], samples: int, rate: float) -> RunningMean:
        """The average after one more trial.

        Args:
            value: mean over the trial's samples, (*shape).
            samples: how many samples that were, >= 1.
            rate: share of the way that `REFERENCE` samples move an old average, in (0, 1).

        Returns:
            The new average; this one stays as it is.
        """
        samples = _whole.get() or samples
        young = samples / (PRIOR + self.seen + samples)
        step = young.clamp(min=1 - (1 - rate) ** (samples / REFERENCE))
        return RunningMean(self.value + step * (value - self.value), self.seen + samples)


def start_at(value: float, shape: tuple[int, ...], like: Float[Tensor, "..."]) -> RunningMean:
    """An average that no sample has moved yet.

    Args:
        value: where every element of the average starts.
        shape: of the average.
        like: a tensor on the device and of the precision that the average shall have.

    Returns:
        An average of that value and shape, of 0 samples.
    """
    start = torch.full(shape, value, dtype=like.dtype, device=like.device)
    return RunningMean(start, like.new_zeros(()))
