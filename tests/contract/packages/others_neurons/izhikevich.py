"""Izhikevich's neuron: a quadratic membrane and a recovery variable."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from neurorules.contracts.neuron import Gates, Neuron, Observed
from neurorules.language.ranges import Positive, ranged
from neurorules.surrogates import Triangle

PSI = Triangle(height=1.0, width=1.0)


class IzhikevichState(NamedTuple):
    """The state after a step, (B, *shape) each."""

    membrane: Tensor
    recovery: Tensor
    spikes: Tensor


@ranged("neuron 'izhikevich'")
@dataclass(frozen=True)
class Izhikevich(Neuron[IzhikevichState]):
    """dv/dt = 4 v^2 - 0.6 v - u + gain I, du/dt = a (b v - u); where v > 1: v = c, u = u + d. One step is 1 ms.

    v is (V + 70 mV) / 100 mV and u is (U + 14 mV/ms) / 100 of Izhikevich 2003, "Simple model of spiking neurons".

    Args:
        a: rate of the recovery per ms, > 0.
        b: sensitivity of the recovery to the membrane, > 0.
        c: membrane after a spike, > 0.
        d: rise of the recovery per spike, > 0.
        gain: change of the membrane per unit of current and ms, > 0.
    """

    a: Positive = 0.02
    b: Positive = 0.2
    c: Positive = 0.05
    d: Positive = 0.08
    gain: Positive = 0.2
    spiking = True

    def initial(self, current: Tensor) -> IzhikevichState:
        rest = torch.zeros_like(current)
        return IzhikevichState(rest, rest, rest)

    def step(self, state: IzhikevichState, current: Tensor) -> tuple[Tensor, Observed, IzhikevichState]:
        v, u, before = state
        after = v + 4 * v**2 - 0.6 * v - u + self.gain * current
        spikes = (after > 1).to(current.dtype)
        keep = (1 - before) * (0.4 + 8 * v)  # a reset to c lets no change of the membrane through
        gates = Gates(keep, torch.full_like(v, self.gain), None)
        recovery = u + self.a * (self.b * v - u) + self.d * spikes
        membrane = torch.where(spikes > 0, self.c, after)
        return spikes, Observed(after, gates=gates), IzhikevichState(membrane, recovery, spikes)

    def psi(self, v: Tensor) -> Tensor:
        return PSI.psi(v - 1)

    def primitive(self, v: Tensor) -> Tensor:
        return PSI.primitive(v - 1)


ENTRY = Izhikevich
