"""A leaky integrator with a synaptic current, a resting value other than 0, and a reset value; for nets from NIR."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from neurorules.contracts.threshold_neuron import Brian2Parts
from neurorules.neurons._integrator import flat_numbers, placed
from neurorules.neurons._synaptic import SynapticIntegrator, SynapticState


@dataclass(frozen=True)
class RestingIntegrator(SynapticIntegrator):
    """i[t] = alpha i[t-1] + I[t], v[t] = beta u[t-1] + (1 - beta) v_leak + i[t]; a spike sets u[t] = v_reset.

    The state holds the membrane minus `v_start`, so that it starts at 0 as for every neuron. The reset is "zero", which
    here means `v_reset`, or "none"; it acts in the step of the spike.

    Source: the LIF and CubaLIF of NIR (Pedersen et al. 2024, doi.org/10.1038/s41467-024-52259-9), by Euler's method.

    Args:
        v_leak: the value that the membrane leaks to; a number or a tensor (*shape), as for the arguments below.
        v_reset: the membrane after a spike, below the threshold.
        v_start: the membrane before the first step, at or below the threshold.
    """

    v_leak: float | Tensor
    v_reset: float | Tensor
    v_start: float | Tensor

    @property
    def scale(self) -> float | Tensor:
        """The distance between the threshold and the initial membrane."""
        return self.v_threshold - self.v_start

    @property
    def pull(self) -> float | Tensor:
        """The constant that the leak adds to the membrane in each step."""
        return (1 - self.beta) * (self.v_leak - self.v_start)

    def late(self, state: SynapticState) -> Tensor:
        return torch.zeros_like(state.membrane)

    def integrate(self, state: SynapticState, current: Tensor, late: Tensor) -> SynapticState:
        arriving = self.alpha * state.current + current
        return SynapticState(self.beta * state.membrane + arriving + self.pull, arriving, state.spikes)

    def hold(self, state: SynapticState, moved: SynapticState, late: Tensor) -> SynapticState:
        return moved._replace(membrane=state.membrane)

    def v(self, moved: SynapticState) -> Tensor:
        return moved.membrane + self.v_start

    def settle(self, moved: SynapticState, spikes: Tensor, late: Tensor) -> SynapticState:
        membrane = moved.membrane
        if self.reset == "zero":
            membrane = membrane + spikes * (self.v_reset - self.v_start - membrane)
        return SynapticState(membrane, moved.current, spikes)

    def brian2_parts(self) -> Brian2Parts:
        numbers: dict[str, float | np.ndarray] = {**self.brian2_numbers(), "alpha": flat_numbers(self.alpha)}
        numbers |= {"pull": flat_numbers(self.pull), "v_start": flat_numbers(self.v_start)}
        numbers |= {"after": flat_numbers(self.v_reset - self.v_start)}
        return Brian2Parts(
            late="",
            integrate=("syn = alpha*syn", "syn = syn + I", "mem = beta*u", "mem = mem + syn", "mem = mem + pull"),
            hold="u",
            v="mem + v_start",
            settle=("u = mem + S*(after - mem)" if self.reset == "zero" else "u = mem",),
            keep=f"beta{self.brian2_passed()}",
            admit="1.0",
            keep_hold=self.brian2_passed(),
            numbers=numbers,
            state=("syn",),
            current="syn",
        )

    def to(self, device: torch.device, dtype: torch.dtype) -> RestingIntegrator:
        moved: Any = super().to(device, dtype)
        own = {name: placed(getattr(self, name), device, dtype) for name in ("v_leak", "v_reset", "v_start")}
        return replace(moved, **own)
