"""A dense connection with faults."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor

from neurorules.connections.dense import Dense
from neurorules.contracts.efficacy import Efficacy
from neurorules.language.ranges import Count


class Halved(NamedTuple):
    """An efficacy that transmits half of a first spike."""

    release: float = 0.5
    missing: float = 0.9
    holds: float = 0.0

    def step(self, use: Tensor, depleted: Tensor, arriving: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        sent, use, depleted = Efficacy(*self).step(use, depleted, arriving)
        return sent / 2, use, depleted


@dataclass(frozen=True)
class WrongConnection(Dense):
    """I = W s, unless there is a fault."""

    fault: str = "none"

    @property
    def efficacy(self) -> Any:
        return Halved() if self.fault == "efficacy" else None

    def post_shape(self, pre: tuple[int, ...]) -> tuple[int, ...]:
        if self.fault == "refusal" and len(pre) != 1:
            raise IndexError(pre)
        return super().post_shape(pre)

    def fan_in(self, pre: tuple[int, ...]) -> int:
        return super().fan_in(pre) + (self.fault == "fan_in")

    def initial(self, pre: tuple[int, ...], generator: torch.Generator, scale: float) -> Tensor:
        if self.fault == "global_seed":
            return super().initial(pre, torch.default_generator, scale)
        return super().initial(pre, generator, scale * (2 if self.fault == "spread" else 1))

    def current(self, w: Tensor, pre: Tensor) -> Tensor:
        current = super().current(w, pre)
        match self.fault:
            case "type":
                return current.float()
            case "bias":
                return current + 1
            case "square":
                return current + 0.1 * super().current(w, pre.square())
            case "rows":
                return current - current.mean(0)
            case "in_place":
                pre.mul_(1.5)
        return current

    def correlate(self, w: Tensor, post: Tensor, pre: Tensor) -> Tensor:
        return super().correlate(w, post, pre) * (-1 if self.fault == "correlate_sign" else 1)

    def transpose(self, w: Tensor, post: Tensor, pre: tuple[int, ...]) -> Tensor:
        return super().transpose(w, post, pre) * (-1 if self.fault == "transpose_sign" else 1)

    def carry(self, w: Tensor, post: Tensor, pre: Tensor) -> Tensor:
        return super().carry(w, post, pre) * (1 + (pre if self.fault == "carry" else 0))


def wrong_connection(size: Count, fault: str = "none") -> Any:
    """A connection, or an object that is none."""
    return object() if fault == "no_connection" else WrongConnection(size, fault)


ENTRY = wrong_connection
