"""Functions that program, change and read the weights of two connections on a device, for the checks of devices."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from neurorules.conformance.comparison import seeded
from neurorules.contracts.device import Device

SHAPES: dict[str, tuple[int, ...]] = {"hidden1.ff.w": (12, 20), "hidden2.ff.w": (6, 4, 3, 3)}
"""Shapes of the weights of a dense connection and of a convolution, by name of the parameter."""
Weights = dict[str, Tensor]
"""Weights, or changes of weights, by name of the parameter."""
Chip = tuple[dict[str, Any], Weights]
"""The state of a device, and the weights that it stores."""
LARGE = 1e3
"""A change that is far larger than any weight."""
LEAST_LIKENESS = 0.5
"""Smallest cosine between the change that is requested of a chip and the change that it makes."""


def draw(seed: int, scale: float = 0.2) -> Weights:
    """Draw weights, or changes, of two connections.

    Args:
        seed: seed of the draws.
        scale: standard deviation, >= 0.

    Returns:
        Normal numbers in float32, in the shapes of `SHAPES`.
    """
    generator = seeded(seed)
    return {key: scale * torch.randn(shape, generator=generator) for key, shape in SHAPES.items()}


def program(device: Device, seed: int) -> Chip:
    """Initialise a chip and program its weights.

    Args:
        device: model of the chip.
        seed: seed of the chip; the weights that are programmed do not depend on it.

    Returns:
        The chip.
    """
    state, stored = device.init(SHAPES, seed), draw(99)
    for key, w in stored.items():
        stored[key], state = device.on_parameters(state, key, w)
    return state, stored


def update(device: Device, chip: Chip, changes: Weights) -> Chip:
    """Change the weights of a chip once.

    Args:
        device: model of the chip.
        chip: the chip, which is not changed.
        changes: the requested changes of the weights of each connection.

    Returns:
        The chip after the changes.
    """
    state, stored = chip[0], dict(chip[1])
    for key, dw in changes.items():
        stored[key], state = device.on_update(state, key, stored[key], dw)
    return state, stored


def read(device: Device, chip: Chip) -> Weights:
    """Read the weights that a network computes with.

    Args:
        device: model of the chip.
        chip: the chip.

    Returns:
        The weights as the chip applies them.
    """
    return {key: device.on_read(chip[0], key, w) for key, w in chip[1].items()}


def nothing(dtype: torch.dtype = torch.float32) -> Weights:
    """Build changes of 0 for all weights."""
    return {key: torch.zeros(shape, dtype=dtype) for key, shape in SHAPES.items()}
