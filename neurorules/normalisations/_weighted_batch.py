"""Batch normalisation with the weight of a torch module, which stays as it is."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor

from neurorules.contracts.normalisation import CurrentStatistics, UpdateStatistics
from neurorules.language.ranges import ranged
from neurorules.normalisations.batch import Batch


@ranged("normalisation 'batch'")
@dataclass(frozen=True, eq=False)
class WeightedBatch(Batch):
    """Batch normalisation whose result is multiplied by a fixed weight: I^ = weight (I - mean) / sigma.

    Args:
        epsilon: added to the variance, > 0.
        weight: of each neuron or map, (N,) or (C, 1, 1), > 0.
    """

    weight: Float[Tensor, "*statistics"] | None = None

    def coefficients(
        self, statistics: CurrentStatistics, current: Float[Tensor, "R *shape"], training: bool
    ) -> tuple[Float[Tensor, "*statistics"], Float[Tensor, "*statistics"]]:
        assert self.weight is not None
        mean, gain = super().coefficients(statistics, current, training)
        return mean, gain * self.weight

    def adjoint(
        self, statistics: UpdateStatistics, post: Float[Tensor, "R *shape"], normalised: Float[Tensor, "R *shape"],
        gain: Float[Tensor, "*statistics"],
    ) -> Float[Tensor, "R *shape"]:  # fmt: skip
        assert self.weight is not None
        return super().adjoint(statistics, post, normalised / self.weight, gain)

    def to(self, device: torch.device, dtype: torch.dtype) -> WeightedBatch:
        return self if self.weight is None else replace(self, weight=self.weight.to(device, dtype))
