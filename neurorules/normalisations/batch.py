"""Batch normalisation: means over the batch while the network learns, running averages in evaluation."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor

from neurorules.contracts.normalisation import (
    EPSILON,
    CurrentStatistics,
    Normalisation,
    UpdateStatistics,
    by_running,
    over_rows,
)
from neurorules.language.ranges import Positive, ranged


@ranged("normalisation 'batch'")
@dataclass(frozen=True)
class Batch(Normalisation):
    """Batch normalisation: mean, sigma, E[d] and E[d I^] are means over the samples and steps of the batch. Source:
    Ioffe & Szegedy 2015.

    Args:
        epsilon: added to the variance, > 0; a torch module brings its own.
    """

    epsilon: Positive = EPSILON
    reads_batch = True
    centres_inputs = False

    def coefficients(
        self, statistics: CurrentStatistics, current: Float[Tensor, "R *shape"], training: bool
    ) -> tuple[Float[Tensor, "*statistics"], Float[Tensor, "*statistics"]]:
        if not training:
            return by_running(statistics, self.epsilon)
        mean = over_rows(current)
        return mean, (over_rows((current - mean).square()) + self.epsilon).rsqrt()

    def adjoint(
        self, statistics: UpdateStatistics, post: Float[Tensor, "R *shape"], normalised: Float[Tensor, "R *shape"],
        gain: Float[Tensor, "*statistics"],
    ) -> Float[Tensor, "R *shape"]:  # fmt: skip
        return (post - over_rows(post) - normalised * over_rows(post * normalised)) * gain


@ranged("normalisation 'batch'")
@dataclass(frozen=True, eq=False)
class WeightedBatch(Batch):
    """Batch normalisation whose result is multiplied by a fixed weight: I^ = weight (I - mean) / sigma.

    Args:
        epsilon: added to the variance, > 0.
        weight: of each neuron or map, (N,) or (C, 1, 1), > 0.
    """

    _: KW_ONLY
    weight: Float[Tensor, "*statistics"]

    def coefficients(
        self, statistics: CurrentStatistics, current: Float[Tensor, "R *shape"], training: bool
    ) -> tuple[Float[Tensor, "*statistics"], Float[Tensor, "*statistics"]]:
        mean, gain = super().coefficients(statistics, current, training)
        return mean, gain * self.weight

    def adjoint(
        self, statistics: UpdateStatistics, post: Float[Tensor, "R *shape"], normalised: Float[Tensor, "R *shape"],
        gain: Float[Tensor, "*statistics"],
    ) -> Float[Tensor, "R *shape"]:  # fmt: skip
        return super().adjoint(statistics, post, normalised / self.weight, gain)

    def to(self, device: torch.device, dtype: torch.dtype) -> WeightedBatch:
        return replace(self, weight=self.weight.to(device, dtype))


ENTRY = Batch
