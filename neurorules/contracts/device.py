"""What a hardware model offers: hooks through which a network learns under it. Entries live in other packages."""

from __future__ import annotations

from typing import Any, Protocol, runtime_checkable

from neurorules.language.registry import Registry

DEVICES = Registry("device", None)


@runtime_checkable
class Device(Protocol):
    """A frozen dataclass of settings. `w` are tensors on the torch path; only weights pass through a device.

    `state` is one flat dictionary of tensors, as it goes into checkpoints: all that a chip is and does later, its
    generator included, so that a resumed run gives the same bits. Hooks return a new one and leave theirs as it was,
    and nothing is kept in the object or its module.

    The learner keeps what `on_update` stored, never a copy at full precision; the optimiser asks for changes at full
    precision, keeps its moments so, and computes them from what `on_read` showed.
    """

    def init(self, shapes: dict[str, tuple[int, ...]], seed: int) -> dict[str, Any]:
        """State of one chip: what is drawn once, such as mismatch. One seed is one chip.

        Args:
            shapes: of the weights, by connection: "hidden1.ff.w".
            seed: >= 0. Initial weights come from the same one, so a device offsets it.
        """
        ...

    def on_parameters(self, state: dict[str, Any], name: str, w: Any) -> tuple[Any, dict[str, Any]]:
        """(weights as first programmed, state), once before learning. A range that is chosen here never widens."""
        ...

    def on_read(self, state: dict[str, Any], name: str, w: Any) -> Any:
        """The weights a trial computes with, of the shape and type of `w`; equal state and weights give equal bits."""
        ...

    def on_update(self, state: dict[str, Any], name: str, w: Any, dw: Any) -> tuple[Any, dict[str, Any]]:
        """(stored weights after a change `dw` was asked for, state). A change of 0 leaves the weights as they are."""
        ...


@runtime_checkable
class Metered(Protocol):
    """A device model that also says what a sample costs."""

    def energy_pJ(self, spikes: float, synops: float) -> float:
        """Energy of one sample in pJ from its hidden spikes and synaptic operations; the device cites its source."""
        ...
