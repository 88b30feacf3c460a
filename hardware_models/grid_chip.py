"""The hooks that devices whose weights are whole numbers times a step have in common."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import Any, ClassVar

from torch import Tensor

from hardware_models.chip import Rounding, RoundingChip
from hardware_models.grid import Grid
from neurorules.contracts.device_hooks import Codes


class GridChip(RoundingChip, ABC):
    """A device whose stored weights lie on a grid, of which it says the step and the ends for each connection.

    A device is a frozen dataclass of its own settings. It brings `on_parameters`, and hooks of its own where it does
    more: noise, patterns, neurons.
    """

    most_steps: ClassVar[float] = math.inf
    """The largest number of steps that one change can take."""
    rounding: Rounding = "stochastic"
    """The way in which changes are rounded to whole steps."""

    @abstractmethod
    def grid(self, state: dict[str, Any], name: str) -> Grid:
        """The format of one connection's weights.

        Args:
            state: state of the chip, after the connection was programmed.
            name: name of the parameter, such as "hidden1.ff.w".

        Returns:
            The step, and the ends of the codes.
        """

    def on_update(self, state: dict[str, Any], name: str, w: Tensor, dw: Tensor) -> tuple[Tensor, dict[str, Any]]:
        """Add a rounded number of steps, and saturate. A change of 0 leaves the weights as they are.

        Args:
            state: state of the chip.
            name: name of the parameter.
            w: stored weights.
            dw: the change that is asked for, of the shape of `w`.

        Returns:
            The stored weights afterwards, and the state with the generator moved on.
        """
        return self.grid(state, name).updated(state, w, dw, self.rounding, self.most_steps)

    def codes(self, state: dict[str, Any], name: str, w: Tensor) -> Codes:
        """Show stored weights as the chip's whole numbers.

        Args:
            state: state of the chip.
            name: name of the parameter.
            w: stored weights.

        Returns:
            The codes, what a code of 1 is worth, and the ends of the codes.
        """
        return self.grid(state, name).codes(w)
