"""SynSense's Xylo: 8-bit weights, and neurons of 16 bits that decay by shifts of bits and subtract their threshold."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

import torch
from torch import Tensor

from hardware_models.chip import Rounding, room_of
from hardware_models.grid import Grid
from hardware_models.grid_chip import GridChip
from hardware_models.xylo import HIGHEST, on_xylo
from neurorules.contracts.neuron import Neuron
from neurorules.contracts.parameter_key import key_of
from neurorules.language.errors import UserError
from neurorules.language.ranges import Positive, Range, Whole, ranged

LOWEST_CODE, HIGHEST_CODE = -128, 127
"""The ends of a weight of 8 bits. Source: xylosim 0.1.3."""
LONGEST_SHIFT = 8
"""The largest shift of a connection's weights: beyond it the largest weight leaves 16 bits (ours)."""


@ranged("device 'xylo'")
@dataclass(frozen=True)
class Xylo(GridChip):
    """stored = code * 2^shift / units; a layer's threshold is `units`, its neurons are `hardware_models.xylo`.

    A layer's units make its largest weight 127, as rockpool's `global_quantize` scales all weights and thresholds of a
    group; a group is one layer here.

    Args:
        shift: of the weights of the first connection of each layer, 0..8; larger ones make currents finer. Further
            connections of a layer get the shift that holds their range.
        range: the largest weight of the first connection of each layer, > 0; None takes it from those programmed.
        headroom: without a range, the largest weight in units of the largest one that is programmed, > 0.
        rounding: how updates are rounded; programming always takes the nearest code.
        neurons: integer for the chip's own; float leaves those of the network.
        chip: seed of rounding; None takes the seed of the run.

    Raises:
        UserError: a value outside its range.
    """

    shift: Annotated[int, Range(f"[0, {LONGEST_SHIFT}]")] = 0
    range: Positive | None = None
    headroom: Positive = 4.0
    rounding: Rounding = "stochastic"
    neurons: Literal["integer", "float"] = "integer"
    chip: Whole | None = None
    seed_offset: ClassVar[int] = 9_000_011
    unpublished: ClassVar[str] = "no energy of an operation is published for Xylo"

    def on_parameters(self, state: dict[str, Any], name: str, w: Tensor) -> tuple[Tensor, dict[str, Any]]:
        """Choose the layer's units and the connection's shift, and program the nearest codes.

        Args:
            state: state of the chip.
            name: name of the parameter, such as "hidden1.ff.w".
            w: weights at full precision.

        Returns:
            The stored weights, and the state with "<layer>/units" and "<parameter>/shift".

        Raises:
            UserError: weights so large that no threshold or shift holds them; the message says what does.
        """
        largest = room_of(w, self.headroom) if self.range is None else self.range
        layer, shift = key_of(name).layer, self.shift
        if f"{layer}/units" not in state:
            units = min(HIGHEST_CODE * 2.0**shift / largest, float(HIGHEST))
            if units < 1:
                raise UserError(_too_large(name, largest, shift))
            state = {**state, f"{layer}/units": torch.tensor(units, dtype=torch.float64)}
        else:
            units = float(state[f"{layer}/units"])
            shift = max(math.ceil(math.log2(largest * units / HIGHEST_CODE) - 1e-9), 0)
            if shift > LONGEST_SHIFT:
                raise UserError(
                    f"device 'xylo': weights of '{name}' up to {largest:.3g} beside a threshold of {units:.0f} need a "
                    f"shift of {shift}, and the chip has 0..{LONGEST_SHIFT}. Use a larger range"
                )
        state = {**state, f"{name}/shift": torch.tensor(shift)}
        return self.grid(state, name).programmed(w), state

    def on_neuron(self, state: dict[str, Any], layer: str, neuron: Neuron[Any]) -> Neuron[Any]:
        """Replace a neuron of the network by the chip's, in units of the layer's threshold.

        Args:
            state: state of the chip.
            layer: name of the layer.
            neuron: the neuron that the network has.

        Returns:
            The integer neuron; the network's own with neurons=float.

        Raises:
            UserError: a neuron that Xylo does not have.
        """
        return neuron if self.neurons == "float" else on_xylo(layer, neuron, float(state[f"{layer}/units"]))

    def grid(self, state: dict[str, Any], name: str) -> Grid:
        units = float(state[f"{key_of(name).layer}/units"])
        return Grid(2.0 ** int(state[f"{name}/shift"]) / units, LOWEST_CODE, HIGHEST_CODE)


def _too_large(name: str, largest: float, shift: int) -> str:
    enough = math.ceil(math.log2(largest / HIGHEST_CODE))
    advice = f"shift={enough}" if enough <= LONGEST_SHIFT else f"a range of {HIGHEST_CODE << LONGEST_SHIFT} at most"
    return (
        f"device 'xylo': weights of '{name}' up to {largest:.4g} do not fit {HIGHEST_CODE} times 2^{shift} beside the "
        f"smallest threshold. Use {advice}"
    )


ENTRY = Xylo
