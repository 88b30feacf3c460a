"""Several devices as one: each sees what the one before it gave."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from torch import Tensor

from neurorules.contracts.device import DEVICES, Device

SEED_STRIDE = 1_000_003
"""The step between the seeds of neighbours, so large that the chips of two runs with near seeds differ."""


@dataclass(frozen=True)
class DeviceChain:
    """Devices in the order in which they act. Their states are kept apart by position.

    Args:
        devices: the first one acts first.
    """

    devices: tuple[Device, ...]

    def init(self, shapes: dict[str, tuple[int, ...]], seed: int) -> dict[str, Any]:
        """Draw every device, each from a seed of its own.

        Args:
            shapes: of each connection's weights, by parameter name.
            seed: of the first device, >= 0.

        Returns:
            The states of all devices, by "position/name".
        """
        state: dict[str, Any] = {}
        for position, device in enumerate(self.devices):
            state |= {f"{position}/{k}": v for k, v in device.init(shapes, seed + SEED_STRIDE * position).items()}
        return state

    def on_parameters(self, state: dict[str, Any], name: str, w: Tensor) -> tuple[Tensor, dict[str, Any]]:
        """Program the initial weights of one connection through all devices.

        Args:
            state: of all devices.
            name: of the parameter.
            w: the weights, at full precision.

        Returns:
            The weights as the last device stores them, and the state afterwards.
        """
        for position, device in enumerate(self.devices):
            w, own = device.on_parameters(_own(state, position), name, w)
            state = _merged(state, position, own)
        return w, state

    def on_read(self, state: dict[str, Any], name: str, w: Tensor) -> Tensor:
        """Read the weights of one connection through all devices.

        Args:
            state: of all devices.
            name: of the parameter.
            w: the weights as they are stored.

        Returns:
            The weights as the last device applies them.
        """
        for position, device in enumerate(self.devices):
            w = device.on_read(_own(state, position), name, w)
        return w

    def on_update(self, state: dict[str, Any], name: str, w: Tensor, dw: Tensor) -> tuple[Tensor, dict[str, Any]]:
        """Change the weights of one connection through all devices: what one stored is what the next is asked for.

        Args:
            state: of all devices.
            name: of the parameter.
            w: the weights as they are stored.
            dw: the change that is asked for, of the shape of `w`.

        Returns:
            The weights as the last device stores them, and the state afterwards.
        """
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
    """A device by name and options; several that are joined by `+` act in that order."""
    devices = tuple(DEVICES.make(piece) for piece in text.split("+"))
    return devices[0] if len(devices) == 1 else DeviceChain(devices)
