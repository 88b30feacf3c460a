"""The adaptive exponential integrate-and-fire neuron, whose spikes have a shape, for voltage-based rules (clopath)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from neurorules.contracts.membrane_unit import Millivolts
from neurorules.contracts.neuron import Brian2Text, Gates, Neuron, Observed
from neurorules.contracts.surrogate import Surrogate
from neurorules.language.options import Named
from neurorules.language.ranges import NonNegative, ranged
from neurorules.surrogates import make_surrogate

REST_MV, THRESHOLD_MV = -70.6, -50.4
"""E_L and V_T at rest, which are 0 and 1 in the units of a net. Source of these and the following constants: Clopath et
al. 2010, table 1, and for details the authors' code, ModelDB 144566."""
SPAN_MV = THRESHOLD_MV - REST_MV
CAPACITANCE_PF, LEAK_NS, SHARPNESS_MV = 281.0, 30.0, 2.0
TAU_ADAPTATION_MS, TAU_PULSE_MS, TAU_HILL_MS = 144.0, 40.0, 50.0
PULSE_PA, HILL_MV = 400.0, 20.0
"""The depolarising current after a spike, and the rise of V_T by a spike."""
DETECTION_MV, TOPS_MV, RESET_MV = 20.0, (29.4, 32.862), -49.5016
"""The membrane that counts as a spike, its two values during the spike (one per millisecond), and its value
afterwards."""

FIRING_PA = 1e6
"""A current that makes a neuron spike at once, as in the authors' experiments."""


class AdexState(NamedTuple):
    """The state after a step, (B, *shape) each, in thresholds.

    Args:
        membrane: the membrane above rest; constant at the top of a spike.
        adaptation: the adaptation current, as the change of the membrane that it causes per step.
        pulse: the current after a spike, as the change of the membrane that it causes per step.
        hill: the rise of V_T above its value at rest.
        left: 2 in the first millisecond of a spike, 1 in the second, else 0.
    """

    membrane: Tensor
    adaptation: Tensor
    pulse: Tensor
    hill: Tensor
    left: Tensor


def per_step(current_pA: float) -> float:
    """The change of the membrane, in thresholds, that a current in pA causes in a step of 1 ms."""
    return current_pA / CAPACITANCE_PF / SPAN_MV


def on_scale(membrane_mV: float) -> float:
    """Convert a membrane in mV to the units of a net."""
    return (membrane_mV - REST_MV) / SPAN_MV


@dataclass(frozen=True)
class Adex(Neuron[AdexState]):
    """The neuron that `adex` builds. Its parameters are per step of 1 ms, in thresholds.

    Args:
        coupling: rise of the adaptation with the membrane.
        jump: rise of the adaptation per spike.
        surrogate: psi and its primitive, as functions of the distance from V_T at rest.
    """

    coupling: float
    jump: float
    surrogate: Surrogate
    spiking = True
    millivolts = Millivolts(REST_MV, THRESHOLD_MV, per_step(FIRING_PA))

    leak, sharp = LEAK_NS / CAPACITANCE_PF, SHARPNESS_MV / SPAN_MV
    onset, pulse, hill = on_scale(RESET_MV), per_step(PULSE_PA), HILL_MV / SPAN_MV
    detection, top, plateau = on_scale(DETECTION_MV), on_scale(TOPS_MV[0]), on_scale(TOPS_MV[1])
    slow, pulse_kept, hill_kept = 1 / TAU_ADAPTATION_MS, 1 - 1 / TAU_PULSE_MS, 1 - 1 / TAU_HILL_MS

    def initial(self, current: Tensor) -> AdexState:
        nothing = torch.zeros_like(current)
        return AdexState(nothing, nothing, nothing, nothing, nothing)

    def step(self, state: AdexState, current: Tensor) -> tuple[Tensor, Observed, AdexState]:
        again, held = (state.left == 1).to(current.dtype), (state.left == 2).to(current.dtype)
        u = again * self.onset + (1 - again) * state.membrane
        adaptation = state.adaptation + again * self.jump
        pulse = again * self.pulse + (1 - again) * state.pulse
        hill = again * self.hill + (1 - again) * state.hill
        upswing = self.leak * torch.exp((u - 1 - hill) / self.sharp)
        drift = upswing * self.sharp - self.leak * u - adaptation + pulse + current
        moved = u + drift
        spikes = (moved > self.detection).to(current.dtype) * (1 - held)
        free = (1 - held) * (1 - spikes)
        v = held * self.plateau + spikes * self.top + free * moved
        adaptation = adaptation + (1 - held) * ((self.coupling * u - adaptation) * self.slow)
        gates = Gates((1 - again) * free * (1 - self.leak + upswing), free, 1 - held)
        after = AdexState(v, adaptation, pulse * self.pulse_kept, hill * self.hill_kept, 2 * spikes + held)
        return spikes, Observed(v, gates=gates), after

    def psi(self, v: Tensor) -> Tensor:
        return self.surrogate.psi(v - 1)

    def primitive(self, v: Tensor) -> Tensor:
        return self.surrogate.primitive(v - 1)

    def brian2(self) -> Brian2Text:
        lines = (
            "again = int(left == 1)", "free = 1 - int(left == 2)", "u = again*onset + (1 - again)*u",
            "adapt = adapt + again*jump", "pulse = again*pulse_top + (1 - again)*pulse",
            "hill = again*hill_top + (1 - again)*hill", "upswing = leak*exp((u - 1 - hill)/sharp)",
            "mem = u + (upswing*sharp - leak*u - adapt + pulse + I)", "S = int(mem > detection)*free",
            "v = (1 - free)*plateau + S*top + free*(1 - S)*mem", "adapt = adapt + free*((coupling*u - adapt)*slow)",
            "keep = (1 - again)*free*(1 - S)*(1 - leak + upswing)", "admit = free*(1 - S)",
            "pulse = pulse*pulse_kept", "hill = hill*hill_kept", "left = 2*S + (1 - free)", "u = 1.0*v",
        )  # fmt: skip
        names = ("leak", "sharp", "onset", "detection", "top", "plateau", "slow", "pulse_kept", "hill_kept")
        numbers = {name: getattr(self, name) for name in (*names, "coupling", "jump")}
        numbers |= {"pulse_top": self.pulse, "hill_top": self.hill, "v_threshold": 1.0}
        state = ("keep", "admit", "mem", "adapt", "pulse", "hill", "upswing", "again", "left", "free")
        return Brian2Text(lines, numbers, self.surrogate, state, rests=True)


@ranged("neuron 'adex'")
def adex(*, a_nS: NonNegative = 4.0, b_pA: NonNegative = 0.0805, surrogate: Named = "fast_sigmoid") -> Adex:
    """C dv/dt = -g_L (v - E_L) + g_L D exp((v - V_T)/D) - w + z + I by Euler's method, in steps of 1 ms.

    The membrane is 0 at E_L = -70.6 mV and 1 at V_T = -50.4 mV, and a current of 1 raises it by 1 in a step. During the
    two milliseconds of a spike it is 29.4 and 32.9 mV, whatever the input. Then it continues from -49.5 mV, w rises by
    b, a current z of 400 pA starts and decays with 40 ms, and V_T is 20 mV higher and decays back with 50 ms; tau_w
    dw/dt = a (v - E_L) - w.

    Source: Clopath et al. 2010 (doi.org/10.1038/nn.2479), after Brette & Gerstner 2005. The paper prints 0.805 pA for
    b, the authors' code computes with 0.0805 pA, and Brette & Gerstner have 80.5 pA.

    Args:
        a_nS: coupling of the adaptation to the membrane, in nS, >= 0.
        b_pA: rise of the adaptation by a spike, in pA, >= 0.
        surrogate: psi as a function of the distance from V_T at rest; options as for `lif`.

    Returns:
        The neuron.

    Raises:
        UserError: a number out of range.
    """
    return Adex(a_nS / CAPACITANCE_PF, per_step(b_pA), make_surrogate(surrogate))


ENTRY = adex
