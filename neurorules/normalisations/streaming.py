"""Streaming: each neuron's running averages of its own past trials. No row of a batch sees another."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from neurorules.contracts.normalisation import CurrentStatistics, Normalisation, UpdateStatistics, by_running


@dataclass(frozen=True)
class Streaming(Normalisation):
    """mean, sigma, E[d] and E[d I^] are running averages, constant within a trial; so are the means of the inputs.

    Centring the inputs keeps the mean of the current from lagging behind weights that move, and costs one row of
    products (measured: docs/results).
    """

    reads_batch = False
    centres_inputs = True

    def coefficients(self, statistics: CurrentStatistics, current: Tensor, training: bool) -> tuple[Tensor, Tensor]:
        return by_running(statistics)

    def adjoint(self, statistics: UpdateStatistics, post: Tensor, normalised: Tensor, gain: Tensor) -> Tensor:
        return (post - statistics.mean.value - normalised * statistics.product.value) * gain


ENTRY = Streaming
