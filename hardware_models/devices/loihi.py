"""Intel's Loihi: 8-bit weights with a sign and an exponent, and integer neurons that reset to zero."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

import torch
from torch import Tensor

from hardware_models.account import Figure, Figures
from hardware_models.chip import Rounding, RoundingChip, room_of, rounded
from hardware_models.engine import LearningEngine, Rules
from hardware_models.grid import ON_GRID
from hardware_models.loihi.fit import misfits
from hardware_models.loihi.neuron import HIGHEST_THRESHOLD, on_loihi
from hardware_models.loihi.synapse import SignMode, Synapse
from hardware_models.rounding import nearest
from hardware_models.traffic import Widths
from neurorules.contracts.device_hooks import Codes, Misfit
from neurorules.contracts.neuron import Neuron
from neurorules.contracts.parameter_key import key_of
from neurorules.language.errors import UserError
from neurorules.language.ranges import Positive, Range, Whole, ranged
from neurorules.language.rules import Rule

SYNOP_PJ = 23.6
"""A synaptic operation at least, 0.75 V. Source: Davies et al. 2018, IEEE Micro 38(1), Table 2; simulated before
silicon (SDF and SPICE), not measured."""
SPIKE_PJ = 1.7
"""A spike within a tile. Source and status as above."""
ACTIVE_PJ, IDLE_PJ = 81.0, 52.0
"""An update of a neuron that fires or is driven, and of one at rest, in every step. Source and status as above."""
EXPONENTS = (-8, 7)
"""The exponents of a population of synapses. Source: Brian2Loihi (10.3389/fninf.2022.1015624)."""
LEARN_PJ = 120.0
"""A change of one synapse by pairwise STDP, its memory included. Source and status as above."""
DAVIES = ("simulated before silicon", "Davies et al. 2018, IEEE Micro 38(1), Table 2, 0.75 V")
FIGURES: Figures = {
    "synop": Figure(SYNOP_PJ, *DAVIES), "hop": Figure(SPIKE_PJ, *DAVIES), "active": Figure(ACTIVE_PJ, *DAVIES),
    "idle": Figure(IDLE_PJ, *DAVIES), "weight_update": Figure(LEARN_PJ, DAVIES[0], f"{DAVIES[1]}; pairwise STDP"),
}  # fmt: skip


@ranged("device 'loihi'")
@dataclass(frozen=True)
class Loihi(LearningEngine, RoundingChip):
    """stored = grain * code * 2^exponent / units; a layer's threshold is `units`, its neurons are `loihi.cuba_lif`.

    Args:
        bits: bits of a weight beside its sign, 1..8. Weights of both signs lose the lowest bit: with 8 they are even.
        signs: which signs weights may have: mixed, excitatory or inhibitory.
        exponent: exponent of the first connection of each layer, -8..7; larger ones make currents finer and the highest
            membrane, 2^23 / (64 units), lower. Further connections of a layer get the exponent that holds their range.
        range: the largest weight of the first connection of each layer, > 0; None takes it from those programmed.
        headroom: without a range, the largest weight in units of the largest one that is programmed, > 0.
        rounding: how updates are rounded; programming always takes the nearest code.
        neurons: integer for the chip's own; float leaves those of the network.
        rules: any, computed beside the chip where its engine cannot say them; engine refuses those.
        chip: seed of rounding; None takes the seed of the run.

    Raises:
        UserError: a value outside its range.
    """

    bits: Annotated[int, Range("[1, 8]")] = 8
    signs: SignMode = "mixed"
    exponent: Annotated[int, Range("[-8, 7]")] = 0
    range: Positive | None = None
    headroom: Positive = 16.0
    rounding: Rounding = "stochastic"
    neurons: Literal["integer", "float"] = "integer"
    rules: Rules = "any"
    chip: Whole | None = None
    seed_offset: ClassVar[int] = 5_000_011
    engine: ClassVar[str] = "loihi"
    unfit: ClassVar[Callable[[Rule], tuple[Misfit, ...]]] = staticmethod(misfits)
    figures: ClassVar[Figures] = FIGURES
    unpublished: ClassVar[str] = "the figure of a weight's change holds its memory"
    widths: ClassVar[Widths] = Widths(weight=9 / 8, state=3.0, trace=7 / 8, accumulator=2.0)

    @property
    def synapse(self) -> Synapse:
        """The format in which the chip stores weights."""
        return Synapse(self.bits, 0, self.signs)

    def on_parameters(self, state: dict[str, Any], name: str, w: Tensor) -> tuple[Tensor, dict[str, Any]]:
        """Choose the layer's threshold and the connection's exponent, and program the nearest codes.

        Args:
            state: state of the chip.
            name: name of the parameter, such as "hidden1.ff.w".
            w: weights at full precision.

        Returns:
            The stored weights, and the state with "<layer>/units" and "<parameter>/exponent".

        Raises:
            UserError: no threshold and exponent hold weights so large; the message says what does.
        """
        largest, layer = self._largest(w), key_of(name).layer
        top = max(self.synapse.highest, -self.synapse.lowest)
        if f"{layer}/units" not in state:
            units, exponent = int(min(top * 2.0**self.exponent / largest, HIGHEST_THRESHOLD)), self.exponent
            if units < 1:
                raise UserError(_too_large(name, largest, top, self.exponent))
        else:
            units = int(state[f"{layer}/units"])
            exponent = max(math.ceil(math.log2(largest * units / top)), EXPONENTS[0])
            if exponent > EXPONENTS[1]:
                raise UserError(
                    f"device 'loihi': weights of '{name}' up to {largest:.3g} beside a threshold of {units} need the "
                    f"exponent {exponent}, and the chip has {EXPONENTS[0]}..{EXPONENTS[1]}. Use a larger range"
                )
        state = {**state, f"{layer}/units": torch.tensor(units), f"{name}/exponent": torch.tensor(exponent)}
        grain = self._grain(state, name)
        return self._saturated(nearest(w / grain)) * grain, state

    def on_update(self, state: dict[str, Any], name: str, w: Tensor, dw: Tensor) -> tuple[Tensor, dict[str, Any]]:
        """Add a rounded number of grains. A change of 0 leaves the weights as they are.

        Args:
            state: state of the chip.
            name: name of the parameter.
            w: stored weights.
            dw: the change that is asked for, of the shape of `w`.

        Returns:
            The stored weights afterwards, and the state with the generator moved on.
        """
        grain = self._grain(state, name)
        codes = nearest(w / grain)
        rest = w / grain - codes  # of another device in a chain; what is smaller is rounding of the tensor's type
        wanted = dw / grain + torch.where(rest.abs() > ON_GRID, rest, torch.zeros_like(rest))
        steps, state = rounded(state, wanted, self.rounding)
        moved = self._saturated(codes + steps)
        as_before = (moved == codes) & (rest.abs() <= ON_GRID)
        return torch.where(as_before, w, moved * grain), state

    def on_neuron(self, state: dict[str, Any], layer: str, neuron: Neuron[Any]) -> Neuron[Any]:
        """The chip's neuron, in units of the layer's threshold.

        Args:
            state: state of the chip.
            layer: name of the layer.
            neuron: the neuron that the network has.

        Returns:
            The integer neuron; the network's own with neurons=float.

        Raises:
            UserError: a neuron that Loihi does not have.
        """
        return neuron if self.neurons == "float" else on_loihi(layer, neuron, int(state[f"{layer}/units"]))

    def codes(self, state: dict[str, Any], name: str, w: Tensor) -> Codes:
        """Stored weights as the chip's whole numbers.

        Args:
            state: state of the chip.
            name: name of the parameter.
            w: stored weights.

        Returns:
            Multiples of the grain, and what 1 is worth.
        """
        synapse, grain = self.synapse, self._grain(state, name)
        whole = nearest(w.double() / grain).to(torch.int64) * synapse.grain
        return Codes(whole, grain / synapse.grain, synapse.lowest, synapse.highest)

    def _grain(self, state: dict[str, Any], name: str) -> float:
        """The distance between neighbouring weights of a connection."""
        units = int(state[f"{key_of(name).layer}/units"])
        return self.synapse.grain * 2.0 ** int(state[f"{name}/exponent"]) / units

    def _saturated(self, grains: Tensor) -> Tensor:
        synapse = self.synapse
        return grains.clamp(synapse.lowest // synapse.grain, synapse.highest // synapse.grain)

    def _largest(self, w: Tensor) -> float:
        if self.range is not None:
            return self.range
        return room_of(w, self.headroom)


def _too_large(name: str, largest: float, top: int, exponent: int) -> str:
    enough = math.ceil(math.log2(largest / top))
    advice = f"exponent={enough}" if enough <= EXPONENTS[1] else f"a range of {top * 2 ** EXPONENTS[1]} at most"
    return (
        f"device 'loihi': weights of '{name}' up to {largest:.4g} do not fit {top} times 2^{exponent} beside the "
        f"smallest threshold. Use {advice}"
    )


ENTRY = Loihi
