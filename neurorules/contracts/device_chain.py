"""Several devices joined into one, as in `--hardware a+b`: each device receives what the one before it returned."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from torch import Tensor

from neurorules.contracts.device import DEVICES, Device
from neurorules.contracts.device_account import Accounting
from neurorules.contracts.device_hooks import ALONE, HOOKS, Constrained, FitsRules, Idealised
from neurorules.contracts.members import check_members, names_in
from neurorules.language.errors import UserError

SEED_STRIDE = 1_000_003
"""Distance between the seeds of neighbours; it is large, so that runs with neighbouring seeds have different chips."""

NONE = "none"
"""The word for plain memory, where a net may also run without a device."""
MEMBERS = names_in((Device, *HOOKS.values(), Accounting, Constrained, FitsRules, Idealised))
"""The names that the learner and the reports look for in a device."""


@dataclass(frozen=True)
class DeviceChain:
    """Devices in the order in which they act. Their states are stored separately, by position.

    Args:
        devices: the first one acts first.
    """

    devices: tuple[Device, ...]

    def init(self, shapes: dict[str, tuple[int, ...]], seed: int) -> dict[str, Any]:
        """Draw every device, each with a seed of its own.

        Args:
            shapes: the shapes of each connection's weights, by parameter name.
            seed: the seed of the first device, >= 0.

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
            state: the state of all devices.
            name: the name of the parameter.
            w: the weights, at full precision.

        Returns:
            The weights as the last device stores them, and the state afterwards.
        """
        for position, device in enumerate(self.devices):
            w, own = device.on_parameters(own_state(state, position), name, w)
            state = merged(state, position, own)
        return w, state

    def on_read(self, state: dict[str, Any], name: str, w: Tensor) -> Tensor:
        """Read the weights of one connection through all devices.

        Args:
            state: the state of all devices.
            name: the name of the parameter.
            w: the weights as they are stored.

        Returns:
            The weights as the last device applies them.
        """
        for position, device in enumerate(self.devices):
            w = device.on_read(own_state(state, position), name, w)
        return w

    def on_update(self, state: dict[str, Any], name: str, w: Tensor, dw: Tensor) -> tuple[Tensor, dict[str, Any]]:
        """Change the weights of one connection through all devices: each stores what the one before it has stored.

        Args:
            state: the state of all devices.
            name: the name of the parameter.
            w: the weights as they are stored.
            dw: the requested change, of the shape of `w`.

        Returns:
            The weights as the last device stores them, and the state afterwards.
        """
        stored, target = w + dw, dw
        for position, device in enumerate(self.devices):
            stored, own = device.on_update(own_state(state, position), name, w, target)
            state, target = merged(state, position, own), stored - w
        return stored, state


def own_state(state: dict[str, Any], position: int) -> dict[str, Any]:
    """The state of one device of a chain.

    Args:
        state: the state of all devices.
        position: the position of the device, from 0.

    Returns:
        The state of that device, by its own names.
    """
    mark = f"{position}/"
    return {key[len(mark) :]: value for key, value in state.items() if key.startswith(mark)}


def merged(state: dict[str, Any], position: int, own: dict[str, Any]) -> dict[str, Any]:
    """The state of a chain in which the state of one device has been replaced.

    Args:
        state: the state of all devices; it is not modified.
        position: the position of the device, from 0.
        own: the new state of that device, by its own names.

    Returns:
        The state of all devices.
    """
    return {**state, **{f"{position}/{key}": value for key, value in own.items()}}


def check_device(device: Device) -> None:
    """Refuse a device with a hook whose name is misspelt, since the hook would never be called.

    Raises:
        UserError: a name resembles that of a hook.
    """
    part = type(device)
    check_members("device", part.__name__, names_in(part.__mro__[:-1]), MEMBERS, {})


def chain(text: str) -> Device:
    """Build a device from its name and options; devices that are joined by `+` act in that order.

    Raises:
        UserError: a device or an option is unknown, the text is none or holds it, a hook is misspelt, or two devices
            each bring a thing of which there can be only one.
    """
    pieces = text.split("+")
    if NONE in (piece.strip() for piece in pieces):
        raise UserError(
            f"--hardware {text} names a device here, and {NONE} is plain memory without one. Use a device such as "
            f"{next(iter(DEVICES.names()), 'one of a package')} (see: neurorules list hardware)"
        )
    devices = tuple(DEVICES.make(piece) for piece in pieces)
    for device in devices:
        check_device(device)
    for hook, what in ALONE.items():
        both = [piece for piece, device in zip(pieces, devices, strict=True) if isinstance(device, HOOKS[hook])]
        if len(both) > 1:
            raise UserError(
                f"devices '{both[0]}' and '{both[1]}' cannot be joined by +: each brings {what}, and a chip can have "
                f"only one. Use one of the two"
            )
    return devices[0] if len(devices) == 1 else DeviceChain(devices)
