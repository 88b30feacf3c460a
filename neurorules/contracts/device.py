"""The contract of hardware models: hooks through which a network learns under one. Entries live in other packages."""

from __future__ import annotations

from typing import Any, Protocol, runtime_checkable

from neurorules.language.registry import Registry

DEVICES = Registry("device", None)
"""All hardware models. The library has none of its own: packages add theirs by the entry point `neurorules.devices`."""


@runtime_checkable
class Device(Protocol):
    """A model of the hardware that stores the weights. A frozen dataclass whose fields are its settings.

    Only weights pass through a device, biases do not. They are tensors on the torch path. Hooks return a new state and
    leave theirs as it was; nothing is kept in the object or its module.

    `state` is one flat dictionary of tensors, which goes into checkpoints. It holds all that the chip is and does
    later, its random generator included, so that a resumed run gives the same bits. A hook returns a new state and
    leaves the one it was handed as it is.

    The learner keeps what `on_update` stored and never a copy at full precision. The optimiser computes the changes it
    asks for at full precision, from what `on_read` showed, and keeps its moments at full precision too.
    """

    def init(self, shapes: dict[str, tuple[int, ...]], seed: int) -> dict[str, Any]:
        """Draw one chip, with everything about it that is drawn once, such as mismatch. One seed is one chip.

        Args:
            shapes: shape of each connection's weights, by parameter name such as "hidden1.ff.w".
            seed: >= 0. The initial weights are drawn from the same seed, so a device adds an offset of its own to it.

        Returns:
            The state of the chip: tensors by name.
        """
        ...

    def on_parameters(self, state: dict[str, Any], name: str, w: Any) -> tuple[Any, dict[str, Any]]:
        """Program the initial weights of one connection. Called once per connection, before learning.

        Args:
            state: of the chip.
            name: of the parameter, such as "hidden1.ff.w".
            w: the weights that the network was built with, at full precision.

        Returns:
            The weights as the chip stores them, of the same shape, and the state afterwards. A range of weights that
            is chosen here never widens later.
        """
        ...

    def on_read(self, state: dict[str, Any], name: str, w: Any) -> Any:
        """The weights that a trial computes with. Equal states and weights give equal bits.

        Args:
            state: of the chip.
            name: of the parameter.
            w: the weights as the chip stores them.

        Returns:
            The weights as the chip applies them, of the same shape and type.
        """
        ...

    def on_update(self, state: dict[str, Any], name: str, w: Any, dw: Any) -> tuple[Any, dict[str, Any]]:
        """Change the weights of one connection, as far as the chip can.

        Args:
            state: of the chip.
            name: of the parameter.
            w: the weights as the chip stores them.
            dw: the change that the optimiser asks for, to be added; of the shape of `w`.

        Returns:
            The weights as the chip stores them afterwards, and the state afterwards. A change of 0 leaves the weights
            as they are.
        """
        ...
