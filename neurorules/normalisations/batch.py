"""Batch: means over the rows of this batch while training (batch normalisation), running averages afterwards."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from neurorules.contracts.normalisation import (
    EPSILON,
    CurrentStatistics,
    Normalisation,
    UpdateStatistics,
    by_running,
    over_rows,
)


@dataclass(frozen=True)
class Batch(Normalisation):
    """mean, sigma, E[d] and E[d I^] are means over the rows (time x batch) at hand. Source: Ioffe & Szegedy 2015."""

    reads_batch = True
    centres_inputs = False

    def coefficients(self, statistics: CurrentStatistics, current: Tensor, training: bool) -> tuple[Tensor, Tensor]:
        if not training:
            return by_running(statistics)
        mean = over_rows(current)
        return mean, (over_rows((current - mean).square()) + EPSILON).rsqrt()

    def adjoint(self, statistics: UpdateStatistics, post: Tensor, normalised: Tensor, gain: Tensor) -> Tensor:
        return (post - over_rows(post) - normalised * over_rows(post * normalised)) * gain


ENTRY = Batch
