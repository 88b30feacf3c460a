"""What every normalisation offers: I -> I^ = (I - mean) / sigma forwards, and the adjoint of that map backwards.

The adjoint of normalising by one's own statistics is dI = (d - E[d] - I^ E[d I^]) / sigma (Ioffe & Szegedy 2015):
an update that is centred and decorrelated from the current. Which averages stand for E is what the entries differ in.
Statistics belong to one neuron (dense) or one map (convolution), never to a layer.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import NamedTuple

from torch import Tensor

from neurorules.contracts.running_mean import RunningMean, start_at

EPSILON = 1e-3
"""Added to the variance."""


class CurrentStatistics(NamedTuple):
    """Running mean of the current and of its square, each (N,) or (C, 1, 1)."""

    mean: RunningMean
    square: RunningMean


class UpdateStatistics(NamedTuple):
    """Running mean of a post factor d and of d I^, each (N,) or (C, 1, 1)."""

    mean: RunningMean
    product: RunningMean


class Normalisation(ABC):
    """Normalises rows (R, *shape) of current and carries post factors back through that."""

    reads_batch: bool
    """Whether the rows of one batch see each other."""
    centres_inputs: bool
    """Whether each presynaptic neuron's running mean is taken away before the weights: I = W (s - mean_pre)."""

    @abstractmethod
    def coefficients(self, statistics: CurrentStatistics, current: Tensor, training: bool) -> tuple[Tensor, Tensor]:
        """(mean, gain 1/sigma) for rows of current, each (N,) or (C, 1, 1); without training, of running averages."""

    def forward(self, statistics: CurrentStatistics, current: Tensor, training: bool) -> tuple[Tensor, Tensor]:
        """(normalised current (R, *shape), gain)."""
        mean, gain = self.coefficients(statistics, current, training)
        return (current - mean) * gain, gain

    @abstractmethod
    def adjoint(self, statistics: UpdateStatistics, post: Tensor, normalised: Tensor, gain: Tensor) -> Tensor:
        """Post factor with respect to the current, (R, *shape), from the one with respect to I^.

        Where its averages have arrived at the rows' own, it is the adjoint of standardising them.
        """


def over_rows(rows: Tensor) -> Tensor:
    """Mean over rows, and over positions of a map: (R, N) -> (N,), (R, C, H, W) -> (C, 1, 1)."""
    return rows.mean(0) if rows.ndim == 2 else rows.mean((0, 2, 3)).reshape(-1, 1, 1)


def statistics_shape(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Shape of the statistics of a population (N,) or (C, H, W)."""
    return shape if len(shape) == 1 else (shape[0], 1, 1)


def first_current_statistics(shape: tuple[int, ...], like: Tensor) -> CurrentStatistics:
    """Statistics of a current never seen: mean 0, variance 1."""
    stand = statistics_shape(shape)
    return CurrentStatistics(start_at(0.0, stand, like), start_at(1.0, stand, like))


def first_update_statistics(shape: tuple[int, ...], like: Tensor) -> UpdateStatistics:
    """Statistics of an update never seen: 0."""
    nothing = start_at(0.0, statistics_shape(shape), like)
    return UpdateStatistics(nothing, nothing)


def by_running(statistics: CurrentStatistics) -> tuple[Tensor, Tensor]:
    """Mean and gain from running averages."""
    mean = statistics.mean.value
    variance = (statistics.square.value - mean.square()).clamp(min=0)
    return mean, (variance + EPSILON).rsqrt()
