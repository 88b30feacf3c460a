"""The contract of hardware models (devices): four hooks that the network's weights pass through while it learns.

The library has no devices; packages add them. The optional hooks are in `contracts.device_hooks`.
"""

from __future__ import annotations

from typing import Any, Protocol, runtime_checkable

from neurorules.language.registry import Registry

DEVICES = Registry("device", None)
"""All hardware models. Packages register theirs by an entry point in the group `neurorules.devices`."""


@runtime_checkable
class Device(Protocol):
    """A model of the hardware that stores the weights: a frozen dataclass whose fields are its settings.

    Only weights pass through a device; biases do not. The weights are torch tensors. Nothing is stored in the object or
    in its module: a hook returns a new state and does not modify the one that was passed in.

    `state` is one flat dictionary of tensors, and is saved in checkpoints. It holds everything that determines the
    later behaviour of the chip, including the state of its random generator, so that a resumed run gives the same bits.

    The learner keeps only the weights that `on_update` stored, and no copy at full precision. The optimiser computes
    the requested changes at full precision from the weights that `on_read` returned, and keeps its moments at full
    precision.
    """

    def init(self, shapes: dict[str, tuple[int, ...]], seed: int) -> dict[str, Any]:
        """Draw one chip: everything that is drawn only once, such as mismatch. The same seed gives the same chip.

        Args:
            shapes: the shape of each connection's weights, by parameter name such as "hidden1.ff.w".
            seed: >= 0. The initial weights are drawn from the same seed, so a device should add an offset of its own to
                it.

        Returns:
            The state of the chip: tensors by name.
        """
        ...

    def on_parameters(self, state: dict[str, Any], name: str, w: Any) -> tuple[Any, dict[str, Any]]:
        """Program the initial weights of one connection. This is called once per connection, before learning.

        Args:
            state: the state of the chip.
            name: the name of the parameter, such as "hidden1.ff.w".
            w: the weights that the network was built with, at full precision.

        Returns:
            The weights as the chip stores them, of the same shape, and the state afterwards. If the range of weights is
            chosen here, it stays the same from then on.
        """
        ...

    def on_read(self, state: dict[str, Any], name: str, w: Any) -> Any:
        """The weights that a trial computes with. The same state and weights give the same bits.

        Args:
            state: the state of the chip.
            name: the name of the parameter.
            w: the weights as the chip stores them.

        Returns:
            The weights as the chip applies them, of the same shape and type.
        """
        ...

    def on_update(self, state: dict[str, Any], name: str, w: Any, dw: Any) -> tuple[Any, dict[str, Any]]:
        """Change the weights of one connection as closely to the requested change as the chip can.

        Args:
            state: the state of the chip.
            name: the name of the parameter.
            w: the weights as the chip stores them.
            dw: the change that the optimiser requests, to be added; of the shape of `w`.

        Returns:
            The weights as the chip stores them afterwards, and the state afterwards. A change of 0 leaves the weights
            as they are.
        """
        ...
