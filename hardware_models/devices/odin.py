"""ODIN: weights of 3 bits whose sign belongs to the presynaptic neuron, one step at a time, and neurons of 8 bits."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor

from hardware_models.account import Figure, Figures
from hardware_models.chip import room_of
from hardware_models.engine import LearningEngine, Rules
from hardware_models.grid import Grid
from hardware_models.grid_chip import GridChip
from hardware_models.odin import on_odin
from hardware_models.odin_fit import misfits
from hardware_models.sdsp import HIGHEST_WEIGHT
from hardware_models.traffic import Widths
from neurorules.contracts.device_hooks import Misfit
from neurorules.contracts.neuron import Neuron
from neurorules.contracts.parameter_key import key_of
from neurorules.language.ranges import Positive, Whole, ranged
from neurorules.language.rules import Rule

SYNOP_PJ = 12.7
"""A synaptic operation at least. Source: Frenkel et al. 2019, arXiv 1804.07858, as published for the chip (28 nm)."""
FIGURES: Figures = {
    "synop": Figure(SYNOP_PJ, "published for the chip", "Frenkel et al. 2019, arXiv 1804.07858; at least, 28 nm")
}


@ranged("device 'odin'")
@dataclass(frozen=True)
class Odin(LearningEngine, GridChip):
    """stored = sign * code / units, code in 0..7; a layer's threshold is `units`; neurons are `hardware_models.odin`.

    A change moves a weight by one step at most, with probability min(|dw| / step, 1), as the chip's plasticity moves it
    by one at a presynaptic spike. Which way is the rule's to say, where on the chip voltage and calcium say it:
    `hardware_models.sdsp` is that rule. That a step comes at random is ours; MorphIC, its successor, does so.

    Args:
        signs: neuron gives all synapses of a presynaptic neuron one sign, as the chip does: that of their sum when they
            are programmed; synapse lets each have its own, for which the chip would need every such neuron twice.
        range: the largest weight of the first connection of each layer, > 0; None takes it from those programmed.
            Further connections of a layer have the same step and saturate.
        headroom: without a range, the largest weight in units of the largest one that is programmed, > 0.
        neurons: integer for the chip's own; float leaves those of the network.
        rules: any, computed beside the chip where its engine cannot say them; engine refuses those.
        chip: seed of the steps; None takes the seed of the run.

    Raises:
        UserError: a value outside its range.
    """

    signs: Literal["neuron", "synapse"] = "neuron"
    range: Positive | None = None
    headroom: Positive = 1.5
    neurons: Literal["integer", "float"] = "integer"
    rules: Rules = "any"
    chip: Whole | None = None
    engine: ClassVar[str] = "odin"
    unfit: ClassVar[Callable[[Rule], tuple[Misfit, ...]]] = staticmethod(misfits)
    seed_offset: ClassVar[int] = 10_000_019
    most_steps: ClassVar[float] = 1.0
    constraints: ClassVar[Mapping[str, str]] = {"one sign of a presynaptic neuron": "signs=synapse"}
    figures: ClassVar[Figures] = FIGURES
    unpublished: ClassVar[str] = "one figure of an operation holds neurons and learning, and no parts are published"
    widths: ClassVar[Widths] = Widths(weight=0.5, state=1.0)

    def on_parameters(self, state: dict[str, Any], name: str, w: Tensor) -> tuple[Tensor, dict[str, Any]]:
        """Choose the layer's units and the signs of presynaptic neurons, and program the nearest codes.

        Args:
            state: state of the chip.
            name: name of the parameter, such as "hidden1.ff.w".
            w: weights at full precision.

        Returns:
            The stored weights, and the state with "<layer>/units" and "<parameter>/sign".
        """
        layer = key_of(name).layer
        if f"{layer}/units" not in state:
            largest = room_of(w, self.headroom) if self.range is None else self.range
            state = {**state, f"{layer}/units": torch.tensor(HIGHEST_WEIGHT / largest, dtype=torch.float64)}
        sign = torch.where(_sums(w) >= 0, 1, -1) if self.signs == "neuron" else torch.zeros((), dtype=torch.int64)
        state = {**state, f"{name}/sign": sign}
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
            UserError: a neuron that ODIN does not have.
        """
        return neuron if self.neurons == "float" else on_odin(layer, neuron, float(state[f"{layer}/units"]))

    def grid(self, state: dict[str, Any], name: str) -> Grid:
        sign = state[f"{name}/sign"]
        return Grid(
            1 / float(state[f"{key_of(name).layer}/units"]),
            -HIGHEST_WEIGHT * (sign <= 0).long(),
            HIGHEST_WEIGHT * (sign >= 0).long(),
        )


def _sums(w: Tensor) -> Tensor:
    """The sum of the weights of each presynaptic neuron, or channel, (1, I, 1, ...)."""
    return w.sum([axis for axis in range(w.ndim) if axis != 1], keepdim=True) if w.ndim > 1 else w


ENTRY = Odin
