"""Izhikevich's neuron: a quadratic membrane and a recovery variable; four numbers choose how it fires."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from neurorules.contracts.membrane_unit import Millivolts
from neurorules.contracts.neuron import Brian2Text, Gates, Neuron, Observed
from neurorules.contracts.surrogate import Surrogate
from neurorules.language.errors import UserError
from neurorules.language.options import Named
from neurorules.language.ranges import NonNegative, Number, Positive, ranged
from neurorules.surrogates import make_surrogate

SQUARE, LINEAR, CONSTANT, TOP_MV = 0.04, 5.0, 140.0, 30.0
"""Coefficients per ms of v' = 0.04 v^2 + 5 v + 140 - u + I in mV, and the membrane that counts as a spike. Source:
Izhikevich 2003 (doi.org/10.1109/TNN.2003.820440)."""
SPAN_MV = 15.0
"""The membrane above rest that counts as 1. At b = 0.2, rest is -70 mV, and a membrane above -55 mV rises to a spike
without further current."""
PULSE = 30.0
"""A current that makes a neuron spike at once, from any membrane near rest."""
LARGEST_B = LINEAR - math.sqrt(4 * SQUARE * CONSTANT)
"""The largest b with which the neuron has a resting membrane."""


class IzhikevichState(NamedTuple):
    """The state after a step, (B, *shape) each.

    Args:
        membrane: the membrane above rest after the reset, in units of 15 mV.
        recovery: the recovery variable u above its value at rest, in the same units per ms.
        spikes: the spikes of the step.
    """

    membrane: Tensor
    recovery: Tensor
    spikes: Tensor


@dataclass(frozen=True)
class Izhikevich(Neuron[IzhikevichState]):
    """The neuron that `izhikevich` builds, in units of 15 mV above rest and steps of 1 ms.

    Args:
        rest_mV: the membrane at rest.
        rate: rate of the recovery per ms.
        sensitivity: the recovery that follows the membrane, per ms.
        onset: membrane after a spike.
        jump: rise of the recovery by a spike.
        surrogate: psi and its primitive, as functions of v - 1.
    """

    rest_mV: float
    rate: float
    sensitivity: float
    onset: float
    jump: float
    surrogate: Surrogate
    spiking = True
    curve = SQUARE * SPAN_MV

    @property
    def slope(self) -> float:
        """The linear coefficient of the membrane's drift around rest, per ms."""
        return LINEAR + 2 * SQUARE * self.rest_mV

    @property
    def top(self) -> float:
        """The membrane that counts as a spike."""
        return (TOP_MV - self.rest_mV) / SPAN_MV

    @property
    def millivolts(self) -> Millivolts:  # type: ignore[override]
        """The scale of the membrane in mV."""
        return Millivolts(self.rest_mV, self.rest_mV + SPAN_MV, PULSE)

    def initial(self, current: Tensor) -> IzhikevichState:
        nothing = torch.zeros_like(current)
        return IzhikevichState(nothing, nothing, nothing)

    def step(self, state: IzhikevichState, current: Tensor) -> tuple[Tensor, Observed, IzhikevichState]:
        u, recovery, last = state
        half = u + 0.5 * (self.curve * u * u + self.slope * u - recovery + current)
        v = half + 0.5 * (self.curve * half * half + self.slope * half - recovery + current)
        first, again = (1 + 0.5 * (2 * self.curve * x + self.slope) for x in (u, half))
        gates = Gates((1 - last) * first * again, 0.5 * (1 + again), None)
        spikes = (v >= self.top).to(current.dtype)
        recovery = recovery + self.rate * (self.sensitivity * v - recovery)
        recovery = recovery + spikes * self.jump
        after = IzhikevichState((1 - spikes) * v + spikes * self.onset, recovery, spikes)
        return spikes, Observed(v, gates=gates), after

    def psi(self, v: Tensor) -> Tensor:
        return self.surrogate.psi(v - 1)

    def primitive(self, v: Tensor) -> Tensor:
        return self.surrogate.primitive(v - 1)

    def brian2(self) -> Brian2Text:
        lines = (
            "half = u + 0.5*(curve*u*u + slope*u - recovery + I)",
            "mem = half + 0.5*(curve*half*half + slope*half - recovery + I)",
            "again = 1 + 0.5*(2*curve*half + slope)",
            "keep = (1 - last)*(1 + 0.5*(2*curve*u + slope))*again",
            "admit = 0.5*(1 + again)",
            "S = int(mem >= top)",
            "v = 1.0*mem",
            "recovery = recovery + rate*(sensitivity*mem - recovery)",
            "recovery = recovery + S*jump",
            "u = (1 - S)*mem + S*onset",
            "last = 1.0*S",
        )
        names = ("curve", "slope", "top", "rate", "sensitivity", "onset", "jump")
        numbers = {name: float(getattr(self, name)) for name in names} | {"v_threshold": 1.0}
        return Brian2Text(lines, numbers, self.surrogate, ("keep", "admit", "half", "mem", "again", "recovery", "last"))


@ranged("neuron 'izhikevich'")
def izhikevich(
    *,
    a: Positive = 0.02,
    b: Positive = 0.2,
    c_mV: Number = -65.0,
    d: NonNegative = 8.0,
    surrogate: Named = "fast_sigmoid",
) -> Izhikevich:
    """v' = 0.04 v^2 + 5 v + 140 - u + I, u' = a (b v - u); a membrane of 30 mV is a spike, then v = c, u = u + d.

    Time is in ms and one step is 1 ms, in which the membrane takes two steps of Euler's method and the recovery one, as
    in the paper's program. The membrane of a net is 0 at rest and 1 at 15 mV above it, and a current of 1 is 15 mV/ms.
    Inhibition beyond -7 is too strong for such steps: the membrane then swings back to a spike.

    The defaults are regular spiking; the paper has c_mV=-55:d=4 for intrinsic bursts, c_mV=-50:d=2 for chattering,
    a=0.1:d=2 for fast and b=0.25:d=2 for low-threshold spiking, and a=0.1:b=0.26:d=2 for resonators.

    Source: E. M. Izhikevich 2003, "Simple model of spiking neurons" (doi.org/10.1109/TNN.2003.820440).

    Args:
        a: rate of the recovery per ms, > 0.
        b: sensitivity of the recovery to the membrane, > 0, at most 0.267, above which the neuron never rests.
        c_mV: membrane after a spike, in mV, below 30.
        d: rise of the recovery by a spike, in mV/ms, >= 0.
        surrogate: psi as a function of the distance from 15 mV above rest; options as for `lif`.

    Returns:
        The neuron.

    Raises:
        UserError: a number is out of range.
    """
    if b > LARGEST_B:
        raise UserError(f"neuron 'izhikevich': with b={b:g} it has no resting membrane. Give at most {LARGEST_B:.3f}")
    if c_mV >= TOP_MV:
        raise UserError(f"neuron 'izhikevich': c_mV={c_mV:g} is not below the membrane of a spike, {TOP_MV:g} mV")
    rest = (b - LINEAR - math.sqrt((LINEAR - b) ** 2 - 4 * SQUARE * CONSTANT)) / (2 * SQUARE)
    return Izhikevich(rest, a, b, (c_mV - rest) / SPAN_MV, d / SPAN_MV, make_surrogate(surrogate))


ENTRY = izhikevich
