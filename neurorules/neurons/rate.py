"""Rate neuron with a graded output and a single step, for the non-spiking networks of papers such as PEPITA."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional

from neurorules.contracts.neuron import Brian2Text, Neuron, NoState, Observed
from neurorules.language.errors import UserError
from neurorules.language.ranges import BelowOne, ranged

SMALLEST_LENGTH = 1e-6
"""Added to lengths, so that a silent population does not divide by 0."""


@ranged("neuron 'rate'")
@dataclass(frozen=True)
class Rate(Neuron[NoState]):
    """s = relu(I) or tanh(I), v = I; T = 1 and no state.

    Args:
        activation: relu or tanh.
        unit: whether the population's output is divided by its length, separately for each sample; psi holds the length
            fixed. Source: Srinivasan et al. 2024, who divide by the length over the whole batch.
        leak: slope of relu below 0, in [0, 1).

    Raises:
        UserError: leak is outside [0, 1), or is combined with tanh.
    """

    activation: Literal["relu", "tanh"] = "relu"
    unit: bool = False
    leak: BelowOne = 0.0
    spiking = False
    steps = 1

    def __post_init__(self) -> None:
        if self.leak and self.activation == "tanh":
            raise UserError("neuron 'rate': tanh has no leak. Use activation=relu")

    def initial(self, current: Tensor) -> NoState:
        return NoState()

    def step(self, state: NoState, current: Tensor) -> tuple[Tensor, Observed, NoState]:
        return self.primitive(current), Observed(current), state

    @property
    def pools_layer(self) -> bool:  # type: ignore[override]
        """Whether the output depends on the population, which it does if it is divided by the length."""
        return self.unit

    def psi(self, v: Tensor) -> Tensor:
        if self.activation == "relu":
            slope = (v > 0).to(v.dtype) * (1 - self.leak) + self.leak
        else:
            slope = 1 - torch.tanh(v).square()
        return slope / _length(self._graded(v)) if self.unit else slope

    def primitive(self, v: Tensor) -> Tensor:
        graded = self._graded(v)
        return graded / _length(graded) if self.unit else graded

    def _graded(self, v: Tensor) -> Tensor:
        return functional.leaky_relu(v, self.leak) if self.activation == "relu" else torch.tanh(v)

    def brian2(self) -> Brian2Text:
        if self.unit:
            raise UserError(
                "neuron 'rate:unit=true' divides by the length of its population's activity, which no equation of a "
                "neuron in Brian2 can read. Use rate without unit"
            )
        if self.activation == "tanh":
            return Brian2Text(("v = 1.0*I", "S = tanh(v)"), {}, None, slope="1.0 - tanh({v})**2")
        above, below = "clip(v, 0.0, inf)", "clip(v, -inf, 0.0)"
        slope = f"int({{v}} > 0.0)*{1 - self.leak!r} + {self.leak!r}"
        return Brian2Text(("v = 1.0*I", f"S = {above} + {self.leak!r}*{below}"), {}, None, slope=slope)


def _length(values: Tensor) -> Tensor:
    """The Euclidean length over the population for each sample; values are (B, N) or (B, C, H, W), possibly with T = 1
    in front."""
    first = 1 if values.ndim in (2, 4) else 2
    return values.square().sum(tuple(range(first, values.ndim)), keepdim=True).sqrt() + SMALLEST_LENGTH


ENTRY = Rate
