"""SpiNNaker: weights, currents and membranes of 32 bits with 15 behind the point, rounded to the nearest."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from torch import Tensor

from hardware_models.chip import generator_of
from hardware_models.grid import Grid, Rounding, updated
from hardware_models.spinnaker import HIGHEST, LOWEST, ONE, on_spinnaker
from neurorules.contracts.device_hooks import Codes
from neurorules.contracts.neuron import Neuron
from neurorules.language.ranges import Whole, ranged

SEED_OFFSET = 7_000_003
"""Added to the seed, so that rounding is independent of the initial weights, which have the same seed."""
GRID = Grid(1 / ONE, LOWEST, HIGHEST)
"""s16.15: steps of 2^-15, from -65536 to just below 65536. Source: sPyNNaker, whose REAL is an `accum`."""


@ranged("device 'spinnaker'")
@dataclass(frozen=True)
class Spinnaker:
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

    def init(self, shapes: dict[str, tuple[int, ...]], seed: int) -> dict[str, Any]:
        """Nothing is drawn but what rounding draws from.

        Args:
            shapes: shape of each connection's weights, by parameter name.
            seed: of the run, used unless `chip` is set.

        Returns:
            The state of the "generator" of rounding.
        """
        return {"generator": generator_of(self.chip, seed, SEED_OFFSET).get_state()}

    def on_parameters(self, state: dict[str, Any], name: str, w: Tensor) -> tuple[Tensor, dict[str, Any]]:
        """Program the nearest codes.

        Args:
            state: state of the chip.
            name: name of the parameter, such as "hidden1.ff.w".
            w: weights at full precision.

        Returns:
            The stored weights, and the state as it was.
        """
        return GRID.programmed(w), state

    def on_read(self, state: dict[str, Any], name: str, w: Tensor) -> Tensor:
        """Weights are read as they are stored.

        Args:
            state: state of the chip.
            name: name of the parameter.
            w: stored weights.

        Returns:
            The same weights.
        """
        return w

    def on_update(self, state: dict[str, Any], name: str, w: Tensor, dw: Tensor) -> tuple[Tensor, dict[str, Any]]:
        """Add a rounded number of steps. A change of 0 leaves the weights as they are.

        Args:
            state: state of the chip.
            name: name of the parameter.
            w: stored weights.
            dw: the change that is asked for, of the shape of `w`.

        Returns:
            The stored weights afterwards, and the state with the generator moved on.
        """
        return updated(state, GRID, w, dw, self.rounding)

    def on_neuron(self, state: dict[str, Any], layer: str, neuron: Neuron[Any]) -> Neuron[Any]:
        """The chip's neuron.

        Args:
            state: state of the chip.
            layer: name of the layer.
            neuron: as the network has it.

        Returns:
            The integer neuron; the network's own with neurons=float.

        Raises:
            UserError: a neuron that the chip does not have.
        """
        return neuron if self.neurons == "float" else on_spinnaker(layer, neuron)

    def codes(self, state: dict[str, Any], name: str, w: Tensor) -> Codes:
        """Stored weights as the chip's whole numbers.

        Args:
            state: state of the chip.
            name: name of the parameter.
            w: stored weights.

        Returns:
            Codes of 32 bits, and what 1 is worth.
        """
        return GRID.codes(w)


ENTRY = Spinnaker
