"""Several devices as one: each sees what the one before it gave."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from torch import Tensor

from neurorules.contracts.device import DEVICES, Device

SEED_STRIDE = 1_000_003
"""Between the seeds of neighbours: a chip of one run's seed is no other run's neighbour of it."""


@dataclass(frozen=True)
class DeviceChain:
    """Devices in the order they act; their states are kept apart by position."""

    devices: tuple[Device, ...]

    def init(self, shapes: dict[str, tuple[int, ...]], seed: int) -> dict[str, Any]:
        """State of every device, each drawn from a seed of its own."""
        state: dict[str, Any] = {}
        for position, device in enumerate(self.devices):
            state |= {f"{position}/{k}": v for k, v in device.init(shapes, seed + SEED_STRIDE * position).items()}
        return state

    def on_parameters(self, state: dict[str, Any], name: str, w: Tensor) -> tuple[Tensor, dict[str, Any]]:
        """Program through all devices."""
        for position, device in enumerate(self.devices):
            w, own = device.on_parameters(_own(state, position), name, w)
            state = _merged(state, position, own)
        return w, state

    def on_read(self, state: dict[str, Any], name: str, w: Tensor) -> Tensor:
        """Read through all devices."""
        for position, device in enumerate(self.devices):
            w = device.on_read(_own(state, position), name, w)
        return w

    def on_update(self, state: dict[str, Any], name: str, w: Tensor, dw: Tensor) -> tuple[Tensor, dict[str, Any]]:
        """Store through all devices: what one stored is what the next is asked for."""
        stored, asked = w + dw, dw
        for position, device in enumerate(self.devices):
            stored, own = device.on_update(_own(state, position), name, w, asked)
            state, asked = _merged(state, position, own), stored - w
        return stored, state


def _own(state: dict[str, Any], position: int) -> dict[str, Any]:
    mark = f"{position}/"
    return {key[len(mark) :]: value for key, value in state.items() if key.startswith(mark)}


def _merged(state: dict[str, Any], position: int, own: dict[str, Any]) -> dict[str, Any]:
    return {**state, **{f"{position}/{key}": value for key, value in own.items()}}


def chain(text: str) -> Device:
    """One device by name and options; several joined by `+` act in that order."""
    made = tuple(DEVICES.make(piece) for piece in text.split("+"))
    return made[0] if len(made) == 1 else DeviceChain(made)
