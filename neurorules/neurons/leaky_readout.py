"""A read-out that never spikes: a leaky integrator whose membrane, averaged over time, is the class score."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from neurorules.contracts.neuron import Brian2Text, Dynamics, MembraneState, Neuron, Observed
from neurorules.language.ranges import Fraction, ranged


@ranged("neuron 'leaky_readout'")
@dataclass(frozen=True)
class LeakyReadout(Neuron[MembraneState]):
    """v[t] = beta v[t-1] + I[t]; the output is v itself.

    Args:
        beta: decay per step, in [0, 1]. With 0 the score is the mean current, which is a linear read-out of the mean
            spikes.

    Raises:
        UserError: beta is outside [0, 1].
    """

    beta: Fraction = 0.0
    spiking = False

    def initial(self, current: Tensor) -> MembraneState:
        return MembraneState(torch.zeros_like(current))

    def step(self, state: MembraneState, current: Tensor) -> tuple[Tensor, Observed, MembraneState]:
        v = self.beta * state.membrane + current
        return v, Observed(v), MembraneState(v)

    def psi(self, v: Tensor) -> Tensor:
        return torch.ones_like(v)

    def primitive(self, v: Tensor) -> Tensor:
        return v

    def dynamics(self) -> Dynamics:
        return Dynamics(self.beta, float("inf"), "none", False)

    def brian2(self) -> Brian2Text:
        return Brian2Text(("v = beta*u", "v = v + I", "S = v", "u = v"), {"beta": self.beta}, None)


ENTRY = LeakyReadout
