"""A chip of clipped weights and mismatched gains, with faults."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

MEMORY: dict[str, Any] = {"updates": 0}
"""What a faulty device keeps where no checkpoint finds it."""


@dataclass(frozen=True)
class WrongDevice:
    """stored = clip(asked), read = stored * gain, unless there is a fault."""

    fault: str = "none"

    def init(self, shapes: dict[str, tuple[int, ...]], seed: int) -> dict[str, Any]:
        generator = torch.Generator().manual_seed(5 if self.fault == "one_chip" else seed + 77)
        if self.fault == "global_seed":
            generator = torch.default_generator
        state: dict[str, Any] = {
            f"{key}/gain": torch.exp(0.1 * torch.randn(shape, generator=generator)) for key, shape in shapes.items()
        }
        return state | ({"name": "chip"} if self.fault == "text_in_state" else {})

    def on_parameters(self, state: dict[str, Any], name: str, w: Tensor) -> tuple[Tensor, dict[str, Any]]:
        return w.clone(), {**state, f"{name}/limit": 4 * w.abs().max()}

    def on_read(self, state: dict[str, Any], name: str, w: Tensor) -> Tensor:
        gain = state[f"{name}/gain"].to(w.dtype)
        match self.fault:
            case "noise":
                return w * gain + 0.01 * torch.rand(w.shape, generator=torch.Generator().manual_seed(torch.seed() % 99))
            case "negated":
                return -w * gain
            case "chain":
                return w * gain * (2 if "0/" in next(iter(state)) else 1)
            case "narrow":
                return (w * state[f"{name}/gain"]).float()
        return w * gain

    def on_update(self, state: dict[str, Any], name: str, w: Tensor, dw: Tensor) -> tuple[Tensor, dict[str, Any]]:
        limit = float(state[f"{name}/limit"])
        match self.fault:
            case "in_place":
                state[f"{name}/limit"] += 1
            case "hidden":
                MEMORY["updates"] += 1
                return (w + dw * (1 + 0.01 * (MEMORY["updates"] % 7))).clamp(-limit, limit), state
            case "drift":
                return (w * 0.99 + dw).clamp(-limit, limit), state
            case "widens":
                state = {**state, f"{name}/limit": state[f"{name}/limit"] * 1.1}
        return (w + dw).clamp(-limit, limit), state


@dataclass(frozen=True)
class NoReading:
    """A device without a way to read weights."""

    def init(self, shapes: dict[str, tuple[int, ...]], seed: int) -> dict[str, Any]:
        return {}


def wrong_device(fault: str = "none") -> Any:
    """A device, or an object that is none."""
    return NoReading() if fault == "no_device" else WrongDevice(fault)


ENTRY = wrong_device
