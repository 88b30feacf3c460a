"""Leaky integrators that learn their own decay or threshold, as with learn_beta and learn_threshold in snnTorch.

A rule that trains weights through the membrane trains these parameters by the same post factor. The decay acts on the
membrane as a current would; the threshold also acts on the distance between membrane and threshold.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from neurorules.contracts.gates import Crossing
from neurorules.contracts.no_text import no_spike_times
from neurorules.contracts.own_effects import OwnFactor
from neurorules.neurons._integrator import Integrator
from neurorules.neurons._leaky import LeakyIntegrator
from neurorules.neurons._synaptic import SynapticIntegrator

BETA, THRESHOLD = "beta", "v_threshold"
"""Names of the parameters that may learn."""


class LearnedNumbers(Integrator[Any]):
    """The fields and methods that neurons with learned parameters share. Resets are delayed by one step, and
    derivatives hold them fixed.
    """

    learned: tuple[str, ...]
    shape: tuple[int, ...]
    needs_whole_trial = True

    @property
    def learns(self) -> tuple[str, ...]:  # type: ignore[override]
        """The parameters that learn: "beta", "v_threshold" or both."""
        return self.learned

    def parameters(self, shape: tuple[int, ...]) -> dict[str, Tensor]:
        """The initial values of the parameters: shape () for a shared value, or one value per neuron."""
        return {name: torch.as_tensor(getattr(self, name)).detach().clone() for name in self.learned}

    def with_parameters(self, own: Mapping[str, Tensor]) -> Integrator[Any]:
        """Return the neurons with other parameter values; a decay is clipped to [0, 1]."""
        numbers: dict[str, Any] = {name: own[name].expand(self.shape).contiguous() for name in self.learned}
        if BETA in numbers:
            numbers[BETA] = numbers[BETA].clamp(0, 1)
        return replace(self, **numbers)

    def crossing(self) -> Crossing:
        raise no_spike_times(f"a neuron that learns its {' and '.join(self.learned)} is taught by surrogates alone")

    def own_factors(self, own: Mapping[str, Tensor], v: Tensor, spikes: Tensor) -> dict[str, OwnFactor]:
        """The derivatives of v and of its distance to the threshold with respect to each parameter, with the previous
        state held fixed.
        """
        nothing = torch.zeros_like(v[:1])
        u, late = torch.cat([nothing, v[:-1]]), torch.cat([nothing, spikes[:-1]])
        factors = {}
        if BETA in self.learned:
            inside = ((own[BETA] >= 0) & (own[BETA] <= 1)).to(v.dtype)
            factors[BETA] = OwnFactor((u * (1 - late) if self.reset == "zero" else u) * inside, 0.0)
        if THRESHOLD in self.learned:
            factors[THRESHOLD] = OwnFactor(-late if self.reset == "subtract" else torch.zeros_like(v), -1.0)
        return factors


@dataclass(frozen=True)
class LearningLeaky(LearnedNumbers, LeakyIntegrator):
    """A leaky integrator that learns its decay or threshold.

    Args:
        learned: "beta", "v_threshold", or both.
        shape: the shape of the population.
    """

    learned: tuple[str, ...]
    shape: tuple[int, ...]


@dataclass(frozen=True)
class LearningSynaptic(LearnedNumbers, SynapticIntegrator):
    """A leaky integrator with a synaptic current that learns its decay or threshold.

    Args:
        learned: "beta", "v_threshold", or both.
        shape: the shape of the population.
    """

    learned: tuple[str, ...]
    shape: tuple[int, ...]
