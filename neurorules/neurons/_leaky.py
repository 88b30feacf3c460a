"""The leaky integrator that `if`, `lif` and `leaky_readout` are instances of."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from neurorules.contracts.neuron import Brian2Text, Dynamics, Neuron, Observed, Reset, State
from neurorules.contracts.surrogate import Surrogate


@dataclass(frozen=True)
class LeakyIntegrator(Neuron):
    """v[t] = beta u[t-1] + I[t]; a spike where v > v_threshold; u[t] = v[t] after the reset.

    Conventions are those of snnTorch 1.0.0's Leaky, bit for bit. `reset_delay` lets the reset of a spike take
    effect in the next step. `subtract` takes v_threshold away, once, also where the membrane stays above it.

    Args:
        beta: decay a step, exp(-dt/tau), in [0, 1]; a number or a tensor of the population's shape.
        v_threshold: threshold, > 0; likewise.
        reset: what a spike does to the membrane.
        reset_delay: the reset acts one step later.
        surrogate: psi and f around the threshold.
    """

    beta: float | Tensor
    v_threshold: float | Tensor
    reset: Reset
    reset_delay: bool
    surrogate: Surrogate
    spiking = True

    def initial(self, current: Tensor) -> State:
        return State(torch.zeros_like(current))

    def step(self, state: State, current: Tensor) -> tuple[Tensor, Observed, State]:
        u, theta = state.membrane, self.v_threshold
        late = ((u - theta) > 0).to(current.dtype)
        if self.reset == "zero":
            u = (1 - late) * u
        v = self.beta * u + current
        if self.reset == "subtract":
            v = v - late * theta
        spikes = ((v - theta) > 0).to(current.dtype)
        if self.reset_delay or self.reset == "none":
            return spikes, Observed(v), State(v)
        due = spikes - late
        after = v - due * (theta if self.reset == "subtract" else v)
        return spikes, Observed(v), State(after)

    @property
    def scale(self) -> float | Tensor:
        """The threshold."""
        return self.v_threshold

    def psi(self, v: Tensor) -> Tensor:
        return self.surrogate.psi(v - self.v_threshold)

    def primitive(self, v: Tensor) -> Tensor:
        return self.surrogate.primitive(v - self.v_threshold)

    def dynamics(self) -> Dynamics:
        return Dynamics(self.beta, self.v_threshold, self.reset, self.reset_delay)

    def brian2(self) -> Brian2Text:
        lines = ["late = int(u - v_threshold > 0)"] if self.reset != "none" else []
        lines += ["u = (1 - late)*u"] if self.reset == "zero" else []
        lines += ["v = beta*u", "v = v + I"]
        lines += ["v = v - late*v_threshold"] if self.reset == "subtract" else []
        lines += ["S = int(v - v_threshold > 0)"]
        if self.reset_delay or self.reset == "none":
            lines += ["u = v"]
        else:
            lines += [f"u = v - (S - late)*{'v_threshold' if self.reset == 'subtract' else 'v'}"]
        numbers = {"beta": flat_numbers(self.beta), "v_threshold": flat_numbers(self.v_threshold)}
        return Brian2Text(tuple(lines), numbers, self.surrogate)

    def to(self, device: torch.device, dtype: torch.dtype) -> LeakyIntegrator:
        beta, theta = placed(self.beta, device, dtype), placed(self.v_threshold, device, dtype)
        return LeakyIntegrator(beta, theta, self.reset, self.reset_delay, self.surrogate)


def placed(value: float | Tensor, device: torch.device, dtype: torch.dtype) -> float | Tensor:
    """A number, or one a neuron on a device."""
    return value.to(device, dtype) if isinstance(value, Tensor) else value


def flat_numbers(value: float | Tensor) -> float | np.ndarray:
    """A number, or one a neuron as a flat array in float64."""
    return value.detach().cpu().double().numpy().reshape(-1) if isinstance(value, Tensor) else value
