"""Direct random feedback with faults."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import prod
from typing import Any

import torch
from torch import Tensor

from neurorules.contracts.net_shape import NetShape
from neurorules.contracts.series import Series
from neurorules.contracts.signal import Signal, SignalState, ThirdFactor, constant_in_time
from neurorules.contracts.view import View

MEMORY = {"calls": 0}
"""What a faulty signal keeps where no checkpoint finds it."""


@dataclass(frozen=True)
class WrongSignal(Signal):
    """m = B e, unless there is a fault."""

    fault: str = "none"

    @property
    def needs(self) -> frozenset[str]:  # type: ignore[override]
        needs = frozenset({"target", "output_error", "fixed_feedback"})
        return needs | {"history"} if self.fault == "needs" else needs | {"luck"} if self.fault == "words" else needs

    @property
    def timing(self) -> Any:  # type: ignore[override]
        return "step" if self.fault == "needs" else "trial"

    def check(self, net: NetShape) -> None:
        if self.fault == "refusal" and any(len(layer.shape) > 1 for layer in net.layers):
            raise KeyError("maps")

    def initial(self, net: NetShape, generator: torch.Generator) -> SignalState:
        if self.fault == "global_seed":
            generator = torch.default_generator
        return {
            f"{a.name}.feedback": torch.randn(net.classes, *a.shape, generator=generator, dtype=torch.float64)
            * prod(a.shape) ** -0.5
            for a in net.hidden
        }

    def third_factor(self, state: SignalState, parameters: Mapping[str, Tensor], view: View) -> ThirdFactor:
        error = view.output_error
        assert error is not None
        name = f"{view.layer.name}.feedback"
        m, moved = torch.tensordot(error, state[name], 1), {}
        MEMORY["calls"] += 1
        match self.fault:
            case "silent":
                m = torch.zeros_like(m)
            case "varies":
                values = m.expand(view.steps, *m.shape) / view.steps
                return ThirdFactor({"input": Series(values.contiguous(), False)}, {}, {})
            case "memory":
                m = m * (1 + 0.1 * (MEMORY["calls"] % 7))
            case "moves":
                moved = {name: state[name] * 0.9}
            case "precision":
                m = m.double()
            case "numbers":
                m = m * torch.arange(len(m), dtype=m.dtype).reshape(-1, *(1 for _ in view.layer.shape))
            case "batch":
                m = m - 2 * m.mean(0)
        return ThirdFactor({"input": constant_in_time(m, view.steps)}, {}, moved)


def wrong_signal(fault: str = "none") -> Any:
    """A signal, or one that can be changed."""
    if fault == "thawed":

        class Thawed(WrongSignal):
            needs = frozenset({"target", "output_error", "fixed_feedback"})
            __setattr__ = object.__setattr__

        return Thawed()
    return replace(WrongSignal(), fault=fault)


ENTRY = wrong_signal
