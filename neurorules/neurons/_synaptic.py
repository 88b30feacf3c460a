"""The leaky integrator with a synaptic current; `cuba_lif` builds one."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple

import torch
from torch import Tensor

from neurorules.contracts.gates import Crossing, Gates
from neurorules.contracts.no_text import no_spike_times
from neurorules.contracts.threshold_neuron import Brian2Parts
from neurorules.neurons._integrator import Integrator, flat_numbers, placed, plain_decays


class SynapticState(NamedTuple):
    """The state after a step, (B, *shape) each.

    Args:
        membrane: after the reset.
        current: the current of the synapses.
        spikes: the spikes of the step.
    """

    membrane: Tensor
    current: Tensor
    spikes: Tensor


@dataclass(frozen=True)
class SynapticIntegrator(Integrator[SynapticState]):
    """i[t] = alpha i[t-1] + I[t], v[t] = beta u[t-1] + i[t]; a spike resets the membrane but not the current.

    The conventions are those of Synaptic in snnTorch 1.0.0, bit for bit: a late reset to zero also removes the current
    of that step from the membrane.

    Args:
        alpha: decay of the synaptic current per step, in [0, 1]; a number or a tensor (*shape).
    """

    alpha: float | Tensor

    def initial(self, current: Tensor) -> SynapticState:
        nothing = torch.zeros_like(current)
        return SynapticState(nothing, nothing, nothing)

    def late(self, state: SynapticState) -> Tensor:
        return self.above(state.membrane)

    def before(self, state: SynapticState) -> Tensor:
        return state.spikes

    def integrate(self, state: SynapticState, current: Tensor, late: Tensor) -> SynapticState:
        arriving = self.alpha * state.current + current
        if self.reset == "zero":
            v = self.beta * state.membrane + arriving
            return SynapticState(v - late * v, arriving, state.spikes)
        return SynapticState(self.leaked(state.membrane, arriving, late), arriving, state.spikes)

    def hold(self, state: SynapticState, moved: SynapticState, late: Tensor) -> SynapticState:
        return moved._replace(membrane=self.hold_membrane(state.membrane, late))

    def v(self, moved: SynapticState) -> Tensor:
        return moved.membrane

    def settle(self, moved: SynapticState, spikes: Tensor, late: Tensor) -> SynapticState:
        return SynapticState(self.after_reset(moved.membrane, spikes, late), moved.current, spikes)

    def gates(self, state: SynapticState, before: Tensor) -> Gates:
        gates = super().gates(state, before)
        return gates._replace(admit=1 - before) if self._wipes_current else gates

    @property
    def _wipes_current(self) -> bool:
        """Whether a reset also removes the current of its step from the membrane."""
        return self.reset == "zero" and self.reset_delay

    @property
    def current_decay(self) -> float | Tensor:
        """The factor alpha by which the synaptic current decays in a step."""
        return self.alpha

    def crossing(self) -> Crossing:
        if self.reset == "none":
            raise no_spike_times("a membrane that is not reset (reset=none) spikes in each step above its threshold")
        if self.reset_delay:
            raise no_spike_times("a delayed reset (reset_delay=true) leaves a membrane above its threshold for a step")
        alpha, beta = torch.as_tensor(self.alpha), torch.as_tensor(self.beta)
        if not bool(((alpha > 0) & (alpha < 1)).all() and (beta > 0).all()):
            raise no_spike_times(
                f"with alpha={self.alpha} and beta={self.beta} a membrane does not rise smoothly through its threshold "
                f"(alpha is to be above 0 and below 1, and beta above 0)"
            )
        return Crossing(self.alpha, self.beta, self.v_threshold, self.reset == "zero")

    def decays(self) -> tuple[float, ...] | None:
        return plain_decays(self.reset, self.alpha, self.beta)

    def brian2_parts(self) -> Brian2Parts:
        if self.reset == "zero":
            membrane = ["mem = beta*u", "mem = mem + syn", "mem = mem - late*mem"]
        else:
            membrane = self.brian2_leaked("mem", "syn")
        return Brian2Parts(
            late=self.brian2_late(),
            integrate=("syn = alpha*syn", "syn = syn + I", *membrane),
            hold=self.brian2_hold(),
            v="mem",
            settle=(self.brian2_after_reset("mem"),),
            keep=f"beta{self.brian2_passed()}",
            admit="(1 - S)" if self._wipes_current else "1.0",
            keep_hold=self.brian2_passed(),
            numbers={**self.brian2_numbers(), "alpha": flat_numbers(self.alpha)},
            state=("syn",),
            current="syn",
        )

    def to(self, device: torch.device, dtype: torch.dtype) -> SynapticIntegrator:
        beta, theta = placed(self.beta, device, dtype), placed(self.v_threshold, device, dtype)
        return replace(self, beta=beta, v_threshold=theta, alpha=placed(self.alpha, device, dtype))
