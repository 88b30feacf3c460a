"""The contract of normalisations: I^ = (I - mean) / sigma forward, and the adjoint of that map backward.

If a current is normalised by its own statistics, a post factor d with respect to I^ becomes, with respect to I, dI = (d
- E[d] - I^ E[d I^]) / sigma (Ioffe & Szegedy 2015): the update is centred, and decorrelated from the current.
Normalisations differ in the averages that they use for E. Statistics belong to one neuron of a flat population or to
one map of a convolution, never to a whole layer.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from neurorules.contracts.members import Contract
from neurorules.contracts.running_mean import RunningMean, start_at

EPSILON = 1e-3
"""Added to the variance, so that the gain 1/sigma stays finite; batch normalisation may have another one."""


class CurrentStatistics(NamedTuple):
    """Running averages of a population's current.

    Args:
        mean: the mean of the current, (N,) or (C, 1, 1).
        square: the mean of the squared current, (N,) or (C, 1, 1).
    """

    mean: RunningMean
    square: RunningMean


class UpdateStatistics(NamedTuple):
    """Running averages of a post factor d with respect to the normalised current I^.

    Args:
        mean: the mean of d, (N,) or (C, 1, 1).
        product: the mean of d I^, (N,) or (C, 1, 1).
    """

    mean: RunningMean
    product: RunningMean


class Normalisation(Contract, kind="normalisation"):
    """Normalises rows (R, *shape) of a current, and carries post factors back through the normalisation."""

    reads_batch: bool
    """Whether the rows of a batch are normalised by means over that batch."""
    centres_inputs: bool
    """Whether each presynaptic neuron's running mean is subtracted before the weights: I = W (s - mean_pre)."""

    @abstractmethod
    def coefficients(
        self, statistics: CurrentStatistics, current: Float[Tensor, "R *shape"], training: bool
    ) -> tuple[Float[Tensor, "*statistics"], Float[Tensor, "*statistics"]]:
        """The mean and gain that normalise a current; without training, they come from the running averages.

        Args:
            statistics: running averages of the current.
            current: rows of current (R, *shape).
            training: whether the network learns from these rows.

        Returns:
            The mean, and the gain 1/sigma > 0; (N,) or (C, 1, 1) each.
        """

    def forward(
        self, statistics: CurrentStatistics, current: Float[Tensor, "R *shape"], training: bool
    ) -> tuple[Float[Tensor, "R *shape"], Float[Tensor, "*statistics"]]:
        """Normalise a current by its statistics.

        Args:
            statistics: running averages of the current.
            current: rows of current (R, *shape).
            training: whether the network learns from these rows.

        Returns:
            The normalised current (R, *shape), and the gain 1/sigma, (N,) or (C, 1, 1).
        """
        mean, gain = self.coefficients(statistics, current, training)
        return (current - mean) * gain, gain

    def to(self, device: torch.device, dtype: torch.dtype) -> Normalisation:
        """Return the normalisation with its own numbers on a device; most have none.

        Args:
            device: the target device.
            dtype: the precision of the numbers.

        Returns:
            The normalisation on the device.
        """
        return self

    @abstractmethod
    def adjoint(
        self, statistics: UpdateStatistics, post: Float[Tensor, "R *shape"], normalised: Float[Tensor, "R *shape"],
        gain: Float[Tensor, "*statistics"],
    ) -> Float[Tensor, "R *shape"]:  # fmt: skip
        """Carry a post factor back through the normalisation.

        If the running averages equal those of the rows, this is the adjoint of standardising the rows.

        Args:
            statistics: running averages of the post factor.
            post: post factor with respect to the normalised current, (R, *shape).
            normalised: the normalised current I^ (R, *shape).
            gain: 1/sigma as used in the forward pass, (N,) or (C, 1, 1).

        Returns:
            The post factor with respect to the current itself, (R, *shape).
        """


def over_rows(rows: Float[Tensor, "R *shape"]) -> Float[Tensor, "*statistics"]:
    """Mean over rows, and over the positions of a map: (R, N) gives (N,), and (R, C, H, W) gives (C, 1, 1)."""
    return rows.mean(0) if rows.ndim == 2 else rows.mean((0, 2, 3)).reshape(-1, 1, 1)


def statistics_shape(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Shape of the statistics of a population: (N,) for a flat one, (C, 1, 1) for maps (C, H, W)."""
    return shape if len(shape) == 1 else (shape[0], 1, 1)


def first_current_statistics(shape: tuple[int, ...], like: Float[Tensor, "..."]) -> CurrentStatistics:
    """Statistics of a current before the first trial.

    Args:
        shape: the shape of the population.
        like: a tensor that gives the device and the precision of the result.

    Returns:
        A mean of 0 and a mean square of 1.
    """
    stand = statistics_shape(shape)
    return CurrentStatistics(start_at(0.0, stand, like), start_at(1.0, stand, like))


def first_update_statistics(shape: tuple[int, ...], like: Float[Tensor, "..."]) -> UpdateStatistics:
    """Statistics of a post factor before the first trial.

    Args:
        shape: the shape of the population.
        like: a tensor that gives the device and the precision of the result.

    Returns:
        Averages of 0.
    """
    nothing = start_at(0.0, statistics_shape(shape), like)
    return UpdateStatistics(nothing, nothing)


def by_running(
    statistics: CurrentStatistics, epsilon: float = EPSILON
) -> tuple[Float[Tensor, "*statistics"], Float[Tensor, "*statistics"]]:
    """The mean and the gain 1/sigma from running averages.

    Args:
        statistics: running averages of the current.
        epsilon: added to the variance, > 0.

    Returns:
        The mean and the gain, (N,) or (C, 1, 1) each.
    """
    mean = statistics.mean.value
    variance = (statistics.square.value - mean.square()).clamp(min=0)
    return mean, (variance + epsilon).rsqrt()
