"""A chip of clipped weights and mismatched gains, with faults."""

from __future__ import annotations

import zlib
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import torch
from torch import Tensor

from neurorules.contracts.device_hooks import Codes, Place
from neurorules.contracts.neuron import Neuron
from neurorules.language.neuron_trace import Trace

MEMORY: dict[str, Any] = {"updates": 0}
"""What a faulty device keeps where no checkpoint finds it."""

SINGLE = ("window", "other_neuron", "own")
"""Faults of what there can be one of, and none of them."""
STEP = 2.0**-14
"""What all stored weights are multiples of."""


def on_grid(w: Tensor) -> Tensor:
    """The nearest weights that are stored."""
    return torch.round(w / STEP) * STEP


@dataclass(frozen=True)
class WrongDevice:
    """stored = clip(asked), read = stored * gain, membranes and traces with noise, unless there is a fault."""

    fault: str = "none"
    strength: float = 0.1
    ideal: ClassVar[str] = "strength=0"

    def init(self, shapes: dict[str, tuple[int, ...]], seed: int) -> dict[str, Any]:
        generator = torch.Generator().manual_seed(5 if self.fault == "one_chip" else seed + 77)
        if self.fault == "global_seed":
            generator = torch.default_generator
        state: dict[str, Any] = {
            f"{key}/gain": torch.exp(self.strength * torch.randn(shape, generator=generator))
            for key, shape in shapes.items()
        }
        state["age"] = torch.zeros((), dtype=torch.int64)
        return state | ({"name": "chip"} if self.fault == "text_in_state" else {})

    def on_parameters(self, state: dict[str, Any], name: str, w: Tensor) -> tuple[Tensor, dict[str, Any]]:
        return on_grid(w), {**state, f"{name}/limit": 4 * w.abs().max()}

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
                return on_grid((w + dw * (1 + 0.01 * (MEMORY["updates"] % 7))).clamp(-limit, limit)), state
            case "drift":
                return on_grid((w * 0.99 + dw).clamp(-limit, limit)), state
            case "frozen":
                return w.clone(), state
            case "widens":
                state = {**state, f"{name}/limit": state[f"{name}/limit"] * 1.1}
        return on_grid((w + dw).clamp(-limit, limit)), state

    def noise(self, state: dict[str, Any], place: Place, key: str, like: Tensor) -> Tensor:
        """Noise of each step, (T, *shape)."""
        age, rows = int(state["age"]), []
        for t in range(len(like)):
            seed = 0 if self.fault == "window" else place.first + t
            text = f"{age} {place.phase} {place.layer} {key} {seed}"
            generator = torch.Generator().manual_seed(zlib.crc32(text.encode()))
            if self.fault == "window":
                generator = torch.Generator().manual_seed(zlib.crc32(text.encode()) + len(like) + t)
            rows.append(self.strength * torch.randn(like.shape[1:], generator=generator, dtype=like.dtype))
        return torch.stack(rows)

    def on_observe(self, state: dict[str, Any], place: Place, v: Tensor) -> Tensor:
        return v + self.noise(state, place, "v", v) + (0.5 if self.fault == "offset" else 0)

    def on_time(self, state: dict[str, Any], steps: int) -> dict[str, Any]:
        if self.fault == "timeless":
            return dict(state)
        return {**state, "age": state["age"] + steps}

    def codes(self, state: dict[str, Any], name: str, w: Tensor) -> Codes:
        worth = 2 * STEP if self.fault == "half_codes" else STEP
        return Codes(torch.round(w.double() / worth).to(torch.int64), STEP, -(2**30), 2**30)


@dataclass(frozen=True)
class WrongSingle(WrongDevice):
    """The same with what there can be one of: traces and neurons of its own."""

    def on_trace(
        self, state: dict[str, Any], place: Place, trace: Trace, key: str, brought: Tensor, start: Tensor
    ) -> Tensor:
        values, noise = [], self.noise(state, place, key, brought)
        for now, more in zip(brought, noise, strict=True):
            start = trace.decay * start + now + 0.1 * more
            values.append(start)
        return torch.stack(values)

    def on_neuron(self, state: dict[str, Any], layer: str, neuron: Neuron[Any]) -> Neuron[Any]:
        return replace(neuron, beta=0.2) if self.fault == "other_neuron" and hasattr(neuron, "beta") else neuron


@dataclass(frozen=True)
class NoReading:
    """A device without a way to read weights."""

    def init(self, shapes: dict[str, tuple[int, ...]], seed: int) -> dict[str, Any]:
        return {}


def wrong_device(fault: str = "none", strength: float = 0.1) -> Any:
    """A device, or an object that is none."""
    if fault == "no_device":
        return NoReading()
    return (WrongSingle if fault in SINGLE else WrongDevice)(fault, strength)


ENTRY = wrong_device
