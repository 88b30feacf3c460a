"""Rate neuron: one step, a graded output. The papers' own (non-spiking) networks are made of these."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional

from neurorules.language.errors import UserError
from neurorules.neurons._shared import Dynamics, Neuron, Observed, State


@dataclass(frozen=True)
class Rate(Neuron):
    """s = relu(I) or tanh(I), v = I; T = 1 and no state.

    Args:
        activation: relu or tanh.
        leak: slope of relu below 0, in [0, 1).

    Raises:
        UserError: leak outside [0, 1), or with tanh.
    """

    activation: Literal["relu", "tanh"] = "relu"
    leak: float = 0.0
    spiking = False
    steps = 1

    def __post_init__(self) -> None:
        if not 0 <= self.leak < 1:
            raise UserError(f"neuron 'rate': leak is {self.leak}, must lie in [0, 1)")
        if self.leak and self.activation == "tanh":
            raise UserError("neuron 'rate': tanh has no leak. Use activation=relu")

    def initial(self, current: Tensor) -> State:
        return State(torch.zeros_like(current))

    def step(self, state: State, current: Tensor) -> tuple[Tensor, Observed, State]:
        return self.primitive(current), Observed(current), state

    def psi(self, v: Tensor) -> Tensor:
        if self.activation == "relu":
            return (v > 0).to(v.dtype) * (1 - self.leak) + self.leak
        return 1 - torch.tanh(v).square()

    def primitive(self, v: Tensor) -> Tensor:
        return functional.leaky_relu(v, self.leak) if self.activation == "relu" else torch.tanh(v)

    def dynamics(self) -> Dynamics | None:
        return None


ENTRY = Rate
