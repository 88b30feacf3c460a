"""Streaming normalisation with faults."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from torch import Tensor

from neurorules.contracts.normalisation import CurrentStatistics, UpdateStatistics, over_rows
from neurorules.normalisations.streaming import Streaming


@dataclass(frozen=True)
class WrongNormalisation(Streaming):
    """I^ = (I - mean) / sigma by running averages, unless there is a fault."""

    fault: str = "none"

    def coefficients(self, statistics: CurrentStatistics, current: Tensor, training: bool) -> tuple[Tensor, Tensor]:
        mean, gain = super().coefficients(statistics, current, training)
        match self.fault:
            case "layer":
                return mean, gain.mean() + 0 * gain + 0 * mean
            case "deviation":
                return mean, gain.square()
            case "no_epsilon":
                return mean, (statistics.square.value - mean.square()).clamp(min=0).rsqrt()
            case "batch" if training:
                return over_rows(current), gain
            case "testing" if not training:
                return over_rows(current), gain
            case "in_place":
                current.add_(1)
        return mean, gain

    def forward(self, statistics: CurrentStatistics, current: Tensor, training: bool) -> tuple[Tensor, Tensor]:
        normalised, gain = super().forward(statistics, current, training)
        return normalised + (self.fault == "forward"), gain

    def adjoint(self, statistics: UpdateStatistics, post: Tensor, normalised: Tensor, gain: Tensor) -> Tensor:
        sign = -1 if self.fault == "adjoint_sign" else 1
        return (post - statistics.mean.value - sign * normalised * statistics.product.value) * gain


def wrong_normalisation(fault: str = "none") -> Any:
    """A normalisation, or an object that is none."""
    return object() if fault == "no_normalisation" else WrongNormalisation(fault)


ENTRY = wrong_normalisation
