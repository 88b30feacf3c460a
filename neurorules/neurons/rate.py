"""Rate neuron: one step, a graded output. The papers' own (non-spiking) networks are made of these."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from neurorules.neurons._shared import Dynamics, Neuron, Observed, State


@dataclass(frozen=True)
class Rate(Neuron):
    """s = relu(I) or tanh(I), v = I; T = 1 and no state.

    Args:
        activation: relu or tanh.
    """

    activation: Literal["relu", "tanh"] = "relu"
    spiking = False
    steps = 1

    def initial(self, current: Tensor) -> State:
        return State(torch.zeros_like(current))

    def step(self, state: State, current: Tensor) -> tuple[Tensor, Observed, State]:
        return self.primitive(current), Observed(current), state

    def psi(self, v: Tensor) -> Tensor:
        if self.activation == "relu":
            return (v > 0).to(v.dtype)
        return 1 - torch.tanh(v).square()

    def primitive(self, v: Tensor) -> Tensor:
        return torch.relu(v) if self.activation == "relu" else torch.tanh(v)

    def dynamics(self) -> Dynamics | None:
        return None


ENTRY = Rate
