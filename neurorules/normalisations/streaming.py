"""Streaming normalisation with running averages over past trials, so that no sample depends on others of its batch."""

from __future__ import annotations

from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor

from neurorules.contracts.normalisation import CurrentStatistics, Normalisation, UpdateStatistics, by_running


@dataclass(frozen=True)
class Streaming(Normalisation):
    """Streaming normalisation: mean, sigma, E[d], E[d I^] and the means of the inputs are running averages, which are
    constant during a trial.

    Centring the inputs prevents the running mean of the current from lagging behind changes of the weights. It costs
    one more row in each matrix product (measured: docs/results).
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
