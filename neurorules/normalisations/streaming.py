"""Streaming normalisation: by running averages over past trials, so that no row of a batch sees another."""

from __future__ import annotations

from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor

from neurorules.contracts.normalisation import CurrentStatistics, Normalisation, UpdateStatistics, by_running


@dataclass(frozen=True)
class Streaming(Normalisation):
    """mean, sigma, E[d], E[d I^] and the means of the inputs are running averages, which stay as they are within a
    trial.

    Centring the inputs keeps the mean of the current from lagging behind the weights while these change. It costs the
    products of one more row (measured: docs/results).
    """

    reads_batch = False
    centres_inputs = True

    def coefficients(
        self, statistics: CurrentStatistics, current: Float[Tensor, "R *shape"], training: bool
    ) -> tuple[Float[Tensor, "*statistics"], Float[Tensor, "*statistics"]]:
        return by_running(statistics)

    def adjoint(
        self, statistics: UpdateStatistics, post: Float[Tensor, "R *shape"], normalised: Float[Tensor, "R *shape"],
        gain: Float[Tensor, "*statistics"],
    ) -> Float[Tensor, "R *shape"]:  # fmt: skip
        return (post - statistics.mean.value - normalised * statistics.product.value) * gain


ENTRY = Streaming
