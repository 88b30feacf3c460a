"""What a hardware model offers: hooks through which a network learns under it. Entries live in other packages."""

from __future__ import annotations

from typing import Any, Protocol, runtime_checkable

from neurorules.language.registry import Registry

DEVICES = Registry("device", None)


@runtime_checkable
class Device(Protocol):
    """A frozen dataclass of settings. Arrays are tensors on the torch path; `state` is a dictionary of tensors.

    Weights are kept at full precision by the optimiser; `on_read` is what the network sees of them, `on_update` what
    is stored after a change was asked for.
    """

    def init(self, shapes: dict[str, tuple[int, ...]], seed: int) -> dict[str, Any]:
        """State of one chip: what is drawn once, such as mismatch, by parameter name."""
        ...

    def on_parameters(self, state: dict[str, Any], name: str, w: Any) -> tuple[Any, dict[str, Any]]:
        """(weights as first programmed, state), once before learning."""
        ...

    def on_read(self, state: dict[str, Any], name: str, w: Any) -> Any:
        """The weights a trial computes with."""
        ...

    def on_update(self, state: dict[str, Any], name: str, w: Any, dw: Any) -> tuple[Any, dict[str, Any]]:
        """(stored weights after a change `dw` was asked for, state)."""
        ...
