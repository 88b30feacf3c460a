"""SpiNNaker: weights, currents and membranes of 32 bits with 15 behind the point, rounded to the nearest."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from torch import Tensor

from hardware_models.chip import Rounding
from hardware_models.grid import Grid
from hardware_models.grid_chip import GridChip
from hardware_models.spinnaker import HIGHEST, LOWEST, ONE, on_spinnaker
from hardware_models.traffic import Widths
from neurorules.contracts.neuron import Neuron
from neurorules.language.ranges import Whole, ranged

GRID = Grid(1 / ONE, LOWEST, HIGHEST)
"""s16.15: steps of 2^-15, from -65536 to just below 65536. Source: sPyNNaker, whose REAL is an `accum`."""


@ranged("device 'spinnaker'")
@dataclass(frozen=True)
class Spinnaker(GridChip):
    """stored = code / 2^15, with codes of 32 bits that saturate; neurons are `hardware_models.spinnaker`.

    Weights in s16.15 are ours: sPyNNaker packs them into 16 bits with a shift for each group of synapses. Single
    precision holds the format exactly up to 256, and larger weights to 24 bits. No energy is given, since published
    figures differ by more than a factor of forty with what they count.

    Args:
        rounding: how updates are rounded; programming always takes the nearest code.
        neurons: integer for the chip's own; float leaves those of the network.
        chip: seed of stochastic rounding; None takes the seed of the run.

    Raises:
        UserError: a value outside its range.
    """

    rounding: Rounding = "nearest"
    neurons: Literal["integer", "float"] = "integer"
    chip: Whole | None = None
    ideal: ClassVar[str] = "neurons=float"
    seed_offset: ClassVar[int] = 7_000_003
    unpublished: ClassVar[str] = "published figures differ by more than a factor of forty with what they count"
    widths: ClassVar[Widths] = Widths(weight=4.0, state=4.0, trace=4.0)

    def on_parameters(self, state: dict[str, Any], name: str, w: Tensor) -> tuple[Tensor, dict[str, Any]]:
        """Program the codes that are nearest to the weights of a connection.

        Args:
            state: state of the chip.
            name: name of the parameter, such as "hidden1.ff.w".
            w: weights at full precision.

        Returns:
            The stored weights, and the state as it was.
        """
        return GRID.programmed(w), state

    def grid(self, state: dict[str, Any], name: str) -> Grid:
        return GRID

    def on_neuron(self, state: dict[str, Any], layer: str, neuron: Neuron[Any]) -> Neuron[Any]:
        """Replace a neuron of the network by the chip's.

        Args:
            state: state of the chip.
            layer: name of the layer.
            neuron: the neuron that the network has.

        Returns:
            The integer neuron; the network's own with neurons=float.

        Raises:
            UserError: a neuron that the chip does not have.
        """
        return neuron if self.neurons == "float" else on_spinnaker(layer, neuron)


ENTRY = Spinnaker
