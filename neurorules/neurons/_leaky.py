"""The leaky integrator, which the fused scans run; `if` and `lif` build one."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from neurorules.contracts.gates import Crossing
from neurorules.contracts.neuron import Brian2Text, Dynamics, MembraneState
from neurorules.contracts.no_text import no_spike_times
from neurorules.contracts.threshold_neuron import Brian2Parts
from neurorules.neurons._integrator import Integrator


@dataclass(frozen=True)
class LeakyIntegrator(Integrator[MembraneState]):
    """v[t] = beta u[t-1] + I[t]; the neuron spikes if v > v_threshold; u[t] is v[t] after the reset.

    The conventions are those of Leaky in snnTorch 1.0.0, bit for bit. The arguments are those of `Integrator`.
    """

    def initial(self, current: Tensor) -> MembraneState:
        return MembraneState(torch.zeros_like(current))

    def late(self, state: MembraneState) -> Tensor:
        return self.above(state.membrane)

    def before(self, state: MembraneState) -> None:
        return None

    def integrate(self, state: MembraneState, current: Tensor, late: Tensor) -> MembraneState:
        return MembraneState(self.leaked(state.membrane, current, late))

    def hold(self, state: MembraneState, moved: MembraneState, late: Tensor) -> MembraneState:
        return MembraneState(self.hold_membrane(state.membrane, late))

    def v(self, moved: MembraneState) -> Tensor:
        return moved.membrane

    def settle(self, moved: MembraneState, spikes: Tensor, late: Tensor) -> MembraneState:
        return MembraneState(self.after_reset(moved.membrane, spikes, late))

    def dynamics(self) -> Dynamics:
        return Dynamics(self.beta, self.v_threshold, self.reset, self.reset_delay)

    def crossing(self) -> Crossing:
        raise no_spike_times(
            "the membrane of a neuron without synaptic current (if, lif) jumps when a spike arrives, so that its own "
            "spikes have no other times than those"
        )

    def brian2_parts(self) -> Brian2Parts:
        return Brian2Parts(
            late=self.brian2_late(),
            integrate=tuple(self.brian2_leaked("mem", "I")),
            hold=self.brian2_hold(),
            v="mem",
            settle=(self.brian2_after_reset("mem"),),
            keep=f"beta{self.brian2_passed()}",
            admit="1.0",
            keep_hold=self.brian2_passed(),
            numbers=self.brian2_numbers(),
        )

    def brian2(self) -> Brian2Text:
        late = [f"late = {self.brian2_late()}"] if self.reset != "none" else []
        lines = (
            *late,
            *self.brian2_leaked("v", "I"),
            "S = int(v - v_threshold > 0)",
            self.brian2_after_reset("v"),
        )
        return Brian2Text(lines, self.brian2_numbers(), self.surrogate)
