"""The hooks that devices whose weights are whole numbers times a step have in common."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import Any, ClassVar

from torch import Tensor

from hardware_models.account import Accountant
from hardware_models.chip import generator_of
from hardware_models.grid import Grid, Rounding, updated
from neurorules.contracts.device_hooks import Codes


class GridChip(Accountant, ABC):
    """A device whose stored weights lie on a grid, of which it says the step and the ends for each connection.

    A device is a frozen dataclass of its own settings. It brings `on_parameters`, and hooks of its own where it does
    more: noise, patterns, neurons.
    """

    seed_offset: ClassVar[int]
    """Added to the seed, so that what a chip draws is independent of the initial weights, which have the same seed."""
    most_steps: ClassVar[float] = math.inf
    """How many steps one change can take."""
    chip: int | None
    """The user's seed of the chip; None takes that of the run."""
    rounding: Rounding = "stochastic"
    """How changes are rounded to whole steps."""

    @abstractmethod
    def grid(self, state: dict[str, Any], name: str) -> Grid:
        """The format of one connection's weights.

        Args:
            state: of the chip, after the connection was programmed.
            name: of the parameter, such as "hidden1.ff.w".

        Returns:
            The step, and the ends of the codes.
        """

    def init(self, shapes: dict[str, tuple[int, ...]], seed: int) -> dict[str, Any]:
        """Draw one chip: nothing but what rounding draws from.

        Args:
            shapes: shape of each connection's weights, by parameter name.
            seed: of the run, used unless `chip` is set.

        Returns:
            The state of the "generator" of rounding.
        """
        return {"generator": generator_of(self.chip, seed, self.seed_offset).get_state()}

    def on_read(self, state: dict[str, Any], name: str, w: Tensor) -> Tensor:
        """Read the weights as they are stored.

        Args:
            state: of the chip.
            name: of the parameter.
            w: stored weights.

        Returns:
            The same weights.
        """
        return w

    def on_update(self, state: dict[str, Any], name: str, w: Tensor, dw: Tensor) -> tuple[Tensor, dict[str, Any]]:
        """Add a rounded number of steps, and saturate. A change of 0 leaves the weights as they are.

        Args:
            state: of the chip.
            name: of the parameter.
            w: stored weights.
            dw: the change that is asked for, of the shape of `w`.

        Returns:
            The stored weights afterwards, and the state with the generator moved on.
        """
        return updated(state, self.grid(state, name), w, dw, self.rounding, self.most_steps)

    def codes(self, state: dict[str, Any], name: str, w: Tensor) -> Codes:
        """Show stored weights as the chip's whole numbers.

        Args:
            state: of the chip.
            name: of the parameter.
            w: stored weights.

        Returns:
            The codes, what a code of 1 is worth, and the ends of the codes.
        """
        return self.grid(state, name).codes(w)
