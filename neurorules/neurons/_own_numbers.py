"""Leaky integrators whose decays differ from neuron to neuron, or are learned, as options of `lif` and `cuba_lif` say.

Decays are spread evenly over the population, and not drawn, since the neurons of a dense layer are exchangeable.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor

from neurorules.language.errors import UserError
from neurorules.neurons._integrator import Integrator
from neurorules.neurons._leaky import LeakyIntegrator
from neurorules.neurons._learned_numbers import BETA, THRESHOLD, LearningLeaky, LearningSynaptic
from neurorules.neurons._synaptic import SynapticIntegrator

Learn = Literal["nothing", "beta", "v_threshold", "both"]
"""Which numbers of its own each neuron learns."""
LEARNED: dict[Learn, tuple[str, ...]] = {
    "nothing": (), "beta": (BETA,), "v_threshold": (THRESHOLD,), "both": (BETA, THRESHOLD),
}  # fmt: skip


def check_own_numbers(
    neuron: str, beta: float, beta_to: float | None, learn: Learn, reset_delay: bool, refractory: int
) -> None:
    """Refuse options that do not fit together.

    Args:
        neuron: the name of the neuron, for messages.
        beta, beta_to, learn, reset_delay, refractory: its options.

    Raises:
        UserError: a time constant is 0 or infinite, or something learns through a reset that has no delay.
    """
    if beta_to is not None and not (0 < beta < 1 and 0 < beta_to < 1):
        raise UserError(
            f"neuron '{neuron}': decays from beta={beta:g} to beta_to={beta_to:g} have a time constant that is 0 or "
            f"infinite. Give both above 0 and below 1"
        )
    if learn != "nothing" and (refractory or not reset_delay):
        other = f"refractory={refractory}" if refractory else "reset_delay=false"
        raise UserError(
            f"neuron '{neuron}': learn={learn} and {other} do not go together, since a learned number needs a reset "
            f"that acts one step later. Write reset_delay=true, without a refractory period"
        )


def spread_decays(first: float, last: float, shape: tuple[int, ...]) -> Tensor:
    """Decays whose time constants -1/log(beta) grow by the same factor from neuron to neuron.

    Args:
        first, last: the decays of the first and of the last neuron, or map, above 0 and below 1.
        shape: shape of the population; neurons of one map share their decay.

    Returns:
        Decays in float64, (*shape).
    """
    start, end = math.log(-math.log(first)), math.log(-math.log(last))
    rates = torch.linspace(start, end, shape[0], dtype=torch.float64).exp()
    return torch.exp(-rates).reshape(-1, *(1 for _ in shape[1:])).expand(shape).contiguous()


class OwnNumbers(Integrator[Any]):
    """The fields and methods of integrators that are settled when their population is known."""

    beta_to: float | None
    learned: tuple[str, ...]

    def numbers_of(self, shape: tuple[int, ...]) -> tuple[float | Tensor, float | Tensor]:
        """The decays and thresholds of a population: what each neuron learns, and decays that differ, (*shape).

        Args:
            shape: shape of the population.
        """
        assert isinstance(self.beta, float | int) and isinstance(self.v_threshold, float | int)
        beta: float | Tensor = self.beta
        if self.beta_to is not None:
            beta = spread_decays(self.beta, self.beta_to, shape)
        elif BETA in self.learned:
            beta = torch.full(shape, float(self.beta), dtype=torch.float64)
        if THRESHOLD in self.learned:
            return beta, torch.full(shape, float(self.v_threshold), dtype=torch.float64)
        return beta, self.v_threshold


@dataclass(frozen=True)
class LeakyOfPopulation(OwnNumbers, LeakyIntegrator):
    """A leaky integrator before its population is known.

    Args:
        beta_to: decay of the last neuron; None if all have the decay of the first.
        learned: the numbers that learn.
    """

    beta_to: float | None
    learned: tuple[str, ...]

    def in_population(self, shape: tuple[int, ...]) -> LeakyIntegrator | LearningLeaky:
        beta, threshold = self.numbers_of(shape)
        plain = (beta, threshold, self.reset, self.reset_delay, self.surrogate)
        return LearningLeaky(*plain, self.learned, shape) if self.learned else LeakyIntegrator(*plain)


@dataclass(frozen=True)
class SynapticOfPopulation(OwnNumbers, SynapticIntegrator):
    """A leaky integrator with a synaptic current before its population is known.

    Args:
        beta_to: decay of the membrane of the last neuron; None if all have the decay of the first.
        learned: the numbers that learn.
    """

    beta_to: float | None
    learned: tuple[str, ...]

    def in_population(self, shape: tuple[int, ...]) -> SynapticIntegrator | LearningSynaptic:
        beta, threshold = self.numbers_of(shape)
        plain = (beta, threshold, self.reset, self.reset_delay, self.surrogate, self.alpha)
        return LearningSynaptic(*plain, self.learned, shape) if self.learned else SynapticIntegrator(*plain)
