"""A neuron that leaves what every layer did in a module, for whoever looks there."""

from __future__ import annotations

from torch import Tensor

from neurorules.contracts.neuron import Observed, State
from neurorules.neurons._gated import GatedIntegrator
from neurorules.surrogates import make_surrogate

SEEN: list[Tensor] = []


class LeakingNeuron(GatedIntegrator):
    def step(self, state: State, current: Tensor) -> tuple[Tensor, Observed, State]:
        spikes, observed, after = super().step(state, current)
        SEEN[:] = [spikes]
        return spikes, observed, after


def leaking() -> LeakingNeuron:
    """Integrate-and-fire with one refractory step, so that it runs step by step."""
    return LeakingNeuron(1.0, 1.0, "zero", False, make_surrogate("fast_sigmoid"), refractory=1)


ENTRY = leaking
