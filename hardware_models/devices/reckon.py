"""ReckOn: 8-bit weights that e-prop moves by one step at random, and membranes that learning sees through a table."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor

from hardware_models.account import Figure, Figures
from hardware_models.chip import room_of
from hardware_models.engine import LearningEngine, Rules
from hardware_models.grid import Grid
from hardware_models.grid_chip import GridChip
from hardware_models.reckon_fit import misfits
from hardware_models.traffic import Widths
from neurorules.contracts.device_hooks import Misfit, Place
from neurorules.language.ranges import Positive, Whole, ranged
from neurorules.language.rules import Rule

LOWEST_CODE, HIGHEST_CODE = -128, 127
"""The ends of a weight of 8 bits. Source: ReckOn's documentation and RTL (Frenkel & Indiveri 2022), only read."""
READOUT = "readout"
"""The name of the layer whose membranes are scores."""
SYNOP_PJ = 5.3
"""A synaptic operation, 0.5 V. Source: as above, as published for the chip (28 nm)."""
FIGURES: Figures = {"synop": Figure(SYNOP_PJ, "published for the chip", "Frenkel & Indiveri 2022, 28 nm, 0.5 V")}
CUTS = (-1.0, -1 / 3, 1 / 3, 1.0)
"""Where the five segments of the table meet, in widths from the threshold. The chip has four such registers of 16 bits;
their values here are ours."""
SHOWN = (-1.0, -2 / 3, 0.0, 2 / 3, 1.0)
"""The membrane that stands for each segment: the middle of an inner one, and the inner end of the two open ones."""


@ranged("device 'reckon'")
@dataclass(frozen=True)
class Reckon(LearningEngine, GridChip):
    """stored = step * code, code in -128..127; a change moves it by one at most, with probability min(|dw| / step, 1).

    The chip's pseudo-derivative is a table of five numbers, chosen by four comparisons of the membrane. So rules and
    signals see one membrane for each segment, and every surrogate becomes a table of its values there; a triangle of
    the same width is 0 in the two outer ones. The table's 5 bits are left out. Scores see the read-out as it is.

    Neurons stay the network's: the chip's 16 bits of membrane, decays of 16 bits and traces of 12 bits, rounded at
    random, are left out.

    Args:
        width: width of the table, from the threshold to where the outer segments begin, in thresholds, > 0.
        threshold: threshold of the network's neurons, about which the table lies, > 0.
        range: the largest weight of all connections, > 0; None takes it from the weights that are programmed.
        headroom: without a range, the largest weight in units of the largest one that is programmed, > 0.
        rules: any, computed beside the chip where its engine cannot say them; engine refuses those.
        chip: seed of the steps; None takes the seed of the run.

    Raises:
        UserError: a value outside its range.
    """

    width: Positive = 1.0
    threshold: Positive = 1.0
    range: Positive | None = None
    headroom: Positive = 4.0
    rules: Rules = "any"
    chip: Whole | None = None
    engine: ClassVar[str] = "reckon"
    unfit: ClassVar[Callable[[Rule], tuple[Misfit, ...]]] = staticmethod(misfits)
    seed_offset: ClassVar[int] = 11_000_027
    most_steps: ClassVar[float] = 1.0
    figures: ClassVar[Figures] = FIGURES
    unpublished: ClassVar[str] = "one figure of an operation holds neurons and learning, and no parts are published"
    widths: ClassVar[Widths] = Widths(weight=1.0, state=2.0, trace=1.5)

    def on_parameters(self, state: dict[str, Any], name: str, w: Tensor) -> tuple[Tensor, dict[str, Any]]:
        """Choose the step of a connection, "<parameter>/step", and program the nearest codes.

        Args:
            state: state of the chip.
            name: name of the parameter, such as "hidden1.ff.w".
            w: weights at full precision.

        Returns:
            The stored weights, and the state with the step.
        """
        largest = room_of(w, self.headroom) if self.range is None else self.range
        state = {**state, f"{name}/step": torch.tensor(largest / HIGHEST_CODE, dtype=torch.float64)}
        return self.grid(state, name).programmed(w), state

    def on_observe(self, state: dict[str, Any], place: Place, v: Tensor) -> Tensor:
        """The membranes as the table tells them apart.

        Args:
            state: state of the chip.
            place: the phase, the layer and the first step of these membranes.
            v: membranes before the reset, (T, B, *shape), in thresholds.

        Returns:
            What stands for the segment of each, of the same shape and type; those of the read-out as they are.
        """
        if place.layer == READOUT:
            return v
        cuts = self.threshold + self.width * torch.tensor(CUTS, dtype=torch.float64, device=v.device)
        segments = torch.bucketize(v.double(), cuts, right=True)  # a membrane at a cut lies in the segment above
        shown = self.threshold + self.width * torch.tensor(SHOWN, dtype=torch.float64, device=v.device)
        return shown[segments].to(v.dtype)

    def grid(self, state: dict[str, Any], name: str) -> Grid:
        return Grid(float(state[f"{name}/step"]), LOWEST_CODE, HIGHEST_CODE)


ENTRY = Reckon
