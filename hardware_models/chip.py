"""The parts that device models share: the generator of one chip, and the room that a connection's weights are given."""

from __future__ import annotations

import math
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor

from hardware_models.account import Accountant
from hardware_models.rounding import nearest, stochastic

Rounding = Literal["stochastic", "nearest"]
"""The ways to round changes of weights to whole steps."""


class RoundingChip(Accountant):
    """A device that draws nothing but what rounding draws from, and reads weights as they are stored."""

    seed_offset: ClassVar[int]
    """Added to the seed, so that what a chip draws is independent of the initial weights, which have the same seed."""
    chip: int | None
    """The user's seed of the chip; None takes that of the run."""

    def init(self, shapes: dict[str, tuple[int, ...]], seed: int) -> dict[str, Any]:
        """Draw one chip: nothing but what rounding draws from.

        Args:
            shapes: shape of each connection's weights, by parameter name.
            seed: seed of the run, used unless `chip` is set.

        Returns:
            The state of the "generator" of rounding.
        """
        return {"generator": generator_of(self.chip, seed, self.seed_offset).get_state()}

    def on_read(self, state: dict[str, Any], name: str, w: Tensor) -> Tensor:
        """Read the weights as they are stored.

        Args:
            state: state of the chip.
            name: name of the parameter.
            w: stored weights.

        Returns:
            The same weights.
        """
        return w


def generator_of(chip: int | None, seed: int, offset: int) -> torch.Generator:
    """The generator from which one chip is drawn.

    Args:
        chip: the user's seed of the chip; None takes that of the run.
        seed: seed of the run.
        offset: number of the device, added to the seed so that a chip is drawn apart from the initial weights.

    Returns:
        A generator on the CPU, so that a chip is the same beside a GPU.
    """
    return torch.Generator().manual_seed((seed if chip is None else chip) + offset)


def generator_in(state: dict[str, Any]) -> torch.Generator:
    """The generator of a chip as its state holds it; the state is left as it is.

    Args:
        state: state of the chip.
    """
    generator = torch.Generator()
    generator.set_state(state["generator"].cpu())
    return generator


def rounded(state: dict[str, Any], steps: Tensor, rounding: Rounding) -> tuple[Tensor, dict[str, Any]]:
    """Round changes to whole steps.

    Args:
        state: state of the chip, with the state of the "generator" of rounding.
        steps: changes in steps, of any shape.
        rounding: stochastic, right on average, or nearest.

    Returns:
        Whole steps of the shape and type of `steps`, and the state with the generator moved on.
    """
    if rounding == "nearest":
        return nearest(steps), state
    generator = generator_in(state)
    whole = stochastic(steps, generator)
    return whole, {**state, "generator": generator.get_state()}


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
