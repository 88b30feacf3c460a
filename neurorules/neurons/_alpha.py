"""The neuron whose membrane is a difference of two synaptic currents, with the conventions of snnTorch's Alpha."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple

import torch
from torch import Tensor

from neurorules.contracts.neuron import Observed, Reset
from neurorules.contracts.surrogate import Surrogate
from neurorules.contracts.threshold_neuron import SpikingAbove
from neurorules.neurons._integrator import placed


class AlphaState(NamedTuple):
    """The state after a step, (B, *shape) each.

    Args:
        excitatory: current that decays by alpha.
        inhibitory: current of opposite sign that decays by beta.
        membrane: the membrane that was compared with the threshold.
    """

    excitatory: Tensor
    inhibitory: Tensor
    membrane: Tensor


@dataclass(frozen=True)
class AlphaIntegrator(SpikingAbove[AlphaState]):
    """e[t] = alpha e[t-1] + I[t], i[t] = beta i[t-1] - I[t], v[t] = tau (e[t] + i[t]), tau = ln a / (ln b - ln a) + 1.

    The conventions are those of snnTorch 1.0.0, bit for bit. A reset acts one step after its spike. "zero" sets both
    currents and v to 0; "subtract" subtracts the threshold from e, sets i to 0, and adds i[t-1] to v.

    Args:
        alpha: decay of the excitatory current per step, in (0, 1), above beta; a number or a tensor (*shape).
        beta: decay of the inhibitory current per step, in [0, 1); a number or a tensor (*shape).
        v_threshold: threshold, > 0; a number or a tensor (*shape).
        reset: the kind of reset, "zero" or "subtract".
        surrogate: psi and its primitive, as functions of v - v_threshold.
    """

    alpha: float | Tensor
    beta: float | Tensor
    v_threshold: float | Tensor
    reset: Reset
    surrogate: Surrogate
    needs_whole_trial = True

    def initial(self, current: Tensor) -> AlphaState:
        nothing = torch.zeros_like(current)
        return AlphaState(nothing, nothing, nothing)

    def step(self, state: AlphaState, current: Tensor) -> tuple[Tensor, Observed, AlphaState]:
        late = self.spikes(state.membrane)
        e = self.alpha * state.excitatory + current
        i = self.beta * state.inhibitory - current
        v = self._tau(current) * (e + i)
        if self.reset == "subtract":
            e, i, v = e - self.v_threshold * late, i - i * late, v - -state.inhibitory * late
        elif self.reset == "zero":
            e, i, v = e - e * late, i - i * late, v - v * late
        return self.spikes(v), Observed(v), AlphaState(e, i, v)

    def _tau(self, like: Tensor) -> Tensor:
        """tau in the precision of the currents, in which snnTorch computes it."""
        numbers = (self.alpha, self.beta)
        alpha, beta = (torch.log(torch.as_tensor(value, dtype=like.dtype, device=like.device)) for value in numbers)
        return alpha / (beta - alpha) + 1

    def reversed_in_time(self, post: Tensor, spikes: Tensor) -> Tensor:
        """The adjoint of the recursions of both currents, with resets held fixed.

        The current of a step cancels in the v of the same step, so v depends only on the currents of the previous step:
        A[t] = (dv[t+1]/dx[t]) post[t+1] + keep[t+1] A[t+1] for x = e and x = i, and their sum reaches I[t].
        """
        late = torch.cat([torch.zeros_like(spikes[:1]), spikes[:-1]])
        tau, passed = self._tau(post), torch.ones_like(late) if self.reset == "none" else 1 - late
        if self.reset == "subtract":
            keep_e, admit_e = self.alpha * torch.ones_like(late), torch.ones_like(late)
            read_e, read_i = tau * keep_e, tau * self.beta + late
        else:
            keep_e, admit_e = self.alpha * passed, passed
            read_e, read_i = tau * keep_e, tau * self.beta * passed
        keep_i = self.beta * passed
        reached = torch.empty_like(post)
        a_e, a_i = torch.zeros_like(post[0]), torch.zeros_like(post[0])
        for t in reversed(range(len(post))):
            reached[t] = admit_e[t] * a_e - passed[t] * a_i
            a_e = read_e[t] * post[t] + keep_e[t] * a_e
            a_i = read_i[t] * post[t] + keep_i[t] * a_i
        return reached

    def to(self, device: torch.device, dtype: torch.dtype) -> AlphaIntegrator:
        alpha, beta = placed(self.alpha, device, dtype), placed(self.beta, device, dtype)
        return replace(self, alpha=alpha, beta=beta, v_threshold=placed(self.v_threshold, device, dtype))
