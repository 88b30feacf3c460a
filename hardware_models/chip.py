"""The parts that device models share: the generator of one chip, and the room that a connection's weights are given."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor


def generator_of(chip: int | None, seed: int, offset: int) -> torch.Generator:
    """The generator from which one chip is drawn.

    Args:
        chip: the user's seed of the chip; None takes that of the run.
        seed: of the run.
        offset: of the device, added to the seed, so that a chip is drawn apart from the initial weights.

    Returns:
        A generator on the CPU, so that a chip is the same beside a GPU.
    """
    return torch.Generator().manual_seed((seed if chip is None else chip) + offset)


def generator_in(state: dict[str, Any]) -> torch.Generator:
    """The generator of a chip as its state holds it; the state is left as it is.

    Args:
        state: of the chip.
    """
    generator = torch.Generator()
    generator.set_state(state["generator"].cpu())
    return generator


def room_of(w: Tensor, headroom: float) -> float:
    """The largest weight that a connection is given room for.

    Args:
        w: the weights that are programmed first, (O, ...).
        headroom: room in units of the largest of them, > 0.

    Returns:
        The largest weight, > 0. Weights that are all 0 count as if the largest were one over the root of the number of
        a neuron's inputs.
    """
    peak = float(w.abs().max())
    return headroom * (peak if peak > 0 else 1 / math.sqrt(w[0].numel()))
