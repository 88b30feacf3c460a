"""A leaky integrator on a state of its own, with faults."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor

from neurorules.contracts.neuron import Brian2Text, Dynamics, Gates, Neuron, Observed
from neurorules.language.errors import UserError
from neurorules.surrogates import make_surrogate

SURROGATE = make_surrogate("atan")
MEMORY = {"steps": 0}
"""What a faulty neuron keeps where nobody looks."""


class WrongState(NamedTuple):
    """The membrane after the reset."""

    membrane: Tensor


@dataclass(frozen=True)
class WrongNeuron(Neuron):
    """v = 0.9 u + I, a spike above 1, which takes 1 away, unless there is a fault."""

    fault: str = "none"
    spiking = True

    @property
    def learns(self) -> tuple[str, ...]:  # type: ignore[override]
        return ("rise",) if self.fault == "learns" else ()

    def initial(self, current: Tensor) -> Any:
        return WrongState(torch.zeros_like(current))

    def step(self, state: Any, current: Tensor) -> tuple[Tensor, Observed, Any]:
        u = state[0]
        match self.fault:
            case "type":
                u = u.double()
            case "in_place":
                u.mul_(0.5)
            case "memory":
                MEMORY["steps"] += 1
                current = current + 0.01 * (MEMORY["steps"] % 5)
            case "rows":
                current = current - 0.1 * current.mean(0)
            case "neurons":
                current = current - 0.1 * current.mean(-1, keepdim=True)
        v = 0.9 * u + current
        spikes = ((v - 1) > 0).to(v.dtype) * (2 if self.fault == "twos" else 1)
        gates = Gates(torch.full_like(v, 0.8 if self.fault == "keep" else 0.9), torch.ones_like(v), None)
        after = (v - spikes,) if self.fault == "plain_state" else WrongState(v - spikes)
        return spikes, Observed(v, gates=gates), after

    def psi(self, v: Tensor) -> Tensor:
        return SURROGATE.psi(v - 1) * (2 if self.fault == "psi" else 1)

    def primitive(self, v: Tensor) -> Tensor:
        return SURROGATE.primitive(v - 1)

    def dynamics(self) -> Dynamics | None:
        return Dynamics(0.9, 1.0, "zero", False) if self.fault == "dynamics" else None

    def brian2(self) -> Brian2Text:
        if self.fault == "anonymous":
            raise UserError("it has no text")
        decay = "0.8" if self.fault == "brian2" else "0.9"
        return Brian2Text((f"v = {decay}*u", "v = v + I", "S = int(v - 1.0 > 0)", "u = v - S*1.0"), {}, SURROGATE)


def wrong_neuron(fault: str = "none") -> Any:
    """A neuron, or an object that is none."""
    return object() if fault == "no_neuron" else WrongNeuron(fault)


ENTRY = wrong_neuron
