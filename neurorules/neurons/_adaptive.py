"""The leaky integrator with an adaptive threshold; `alif` builds one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from neurorules.contracts.own_effects import Adaptation
from neurorules.contracts.threshold_neuron import Brian2Parts
from neurorules.neurons._integrator import Integrator, plain_decays


class AdaptiveState(NamedTuple):
    """The state after a step, (B, *shape) each.

    Args:
        membrane: after the reset.
        adaptation: the adaptation b, in spikes.
        spikes: the spikes of the step.
    """

    membrane: Tensor
    adaptation: Tensor
    spikes: Tensor


@dataclass(frozen=True)
class AdaptiveIntegrator(Integrator[AdaptiveState]):
    """b[t] = rho b[t-1] + S[t-1]; the neuron spikes if beta u[t-1] + I[t] > v_threshold + kappa b[t].

    `Observed.v` is the membrane minus kappa b, so that psi and every text can compare it with the constant v_threshold.

    Args:
        rho: decay of the adaptation per step, in [0, 1].
        kappa: rise of the threshold per spike, >= 0.
    """

    rho: float
    kappa: float

    @property
    def adaptation(self) -> Adaptation:
        """The rise of the threshold by kappa in the step after a spike, which decays by rho."""
        return Adaptation(self.kappa, self.rho)

    def initial(self, current: Tensor) -> AdaptiveState:
        nothing = torch.zeros_like(current)
        return AdaptiveState(nothing, nothing, nothing)

    def late(self, state: AdaptiveState) -> Tensor:
        return self.above(self.v(state))

    def before(self, state: AdaptiveState) -> Tensor:
        return state.spikes

    def integrate(self, state: AdaptiveState, current: Tensor, late: Tensor) -> AdaptiveState:
        adaptation = self.rho * state.adaptation + state.spikes
        return AdaptiveState(self.leaked(state.membrane, current, late), adaptation, state.spikes)

    def hold(self, state: AdaptiveState, moved: AdaptiveState, late: Tensor) -> AdaptiveState:
        return moved._replace(membrane=self.hold_membrane(state.membrane, late))

    def v(self, moved: AdaptiveState) -> Tensor:
        return moved.membrane - self.kappa * moved.adaptation

    def settle(self, moved: AdaptiveState, spikes: Tensor, late: Tensor) -> AdaptiveState:
        return AdaptiveState(self.after_reset(moved.membrane, spikes, late), moved.adaptation, spikes)

    def decays(self) -> tuple[float, ...] | None:
        return plain_decays(self.reset, self.beta)

    def brian2_parts(self) -> Brian2Parts:
        return Brian2Parts(
            late=self.brian2_late(" - kappa*adapt"),
            integrate=("adapt = rho*adapt", "adapt = adapt + S", *self.brian2_leaked("mem", "I")),
            hold=self.brian2_hold(),
            v="mem - kappa*adapt",
            settle=(self.brian2_after_reset("mem"),),
            keep=f"beta{self.brian2_passed()}",
            admit="1.0",
            keep_hold=self.brian2_passed(),
            numbers={**self.brian2_numbers(), "rho": self.rho, "kappa": self.kappa},
            state=("adapt",),
        )
