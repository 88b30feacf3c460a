"""A neuron that leaves what every layer did in a module, for whoever looks there."""

from __future__ import annotations

from torch import Tensor

from neurorules.contracts.neuron import Observed
from neurorules.neurons._leaky import LeakyIntegrator
from neurorules.neurons._refractory import Refractory, RefractoryState
from neurorules.surrogates import make_surrogate

SEEN: list[Tensor] = []


class LeakingNeuron(Refractory):
    def step(self, state: RefractoryState, current: Tensor) -> tuple[Tensor, Observed, RefractoryState]:
        spikes, observed, after = super().step(state, current)
        SEEN[:] = [spikes]
        return spikes, observed, after


def leaking() -> LeakingNeuron:
    """Integrate-and-fire with one refractory step, so that it runs step by step."""
    return LeakingNeuron(LeakyIntegrator(1.0, 1.0, "zero", False, make_surrogate("fast_sigmoid")), 1)


ENTRY = leaking
