"""Xylo's neuron in whole numbers of 16 bits, which decays by shifts of bits and may fire several times in a step.

With sat the ends of 16 bits, and decay(x, d) = x >> d (rounded down), or the sign of x where that is 0, one step is

    I  = sat(I + arriving)                  weights << shift, of this step's inputs and of recurrent spikes before
    I -= decay(I, dash_syn)                 so what arrives is decayed in its own step
    dv = sat(I - decay(V, dash_mem));       dv = sat(dv + bias)
    V  = sat(V + dv)
    while V >= threshold and n < most:      n += 1,  V -= threshold

A positive membrane thus decays at least by 1, and a negative one never stays.

Source: xylosim 0.1.3, `XyloIAFNeuron.cpp` (v2) and `XyloLayer.cpp`, which simulate the chip bit by bit; nothing was
measured on one. There spikes are delivered, and saturated, one by one; here their sum is, which differs only where a
part of the sum leaves 16 bits and the whole does not. Second synapses and aliases are left out.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated, Any

import torch
from torch import Tensor

from hardware_models.population import Population, Registers, WholeNeuron, numbers_of
from neurorules.contracts.neuron import Neuron
from neurorules.language.errors import UserError
from neurorules.language.ranges import Range, ranged

LOWEST, HIGHEST = -(1 << 15), (1 << 15) - 1
"""The ends of currents, membranes and thresholds. Source of all widths: xylosim 0.1.3."""
LONGEST_DASH = 15
"""The largest shift of a decay, of 4 bits."""
MOST_SPIKES = 31
"""Most spikes of a hidden neuron in one step; those of an output are 1."""

Dash = Annotated[int, Range(f"[0, {LONGEST_DASH}]")]
Word = Annotated[int, Range(f"[{LOWEST}, {HIGHEST}]")]


def saturated(x: Tensor) -> Tensor:
    """Numbers clipped to 16 bits.

    Args:
        x: whole numbers, int64.
    """
    return x.clamp(LOWEST, HIGHEST)


def decay(x: Tensor, dash: int) -> Tensor:
    """The number that one step takes away: x >> dash, rounded down, or the sign of x where that is 0.

    Args:
        x: whole numbers, int64.
        dash: bits of the shift, 0..15.

    Returns:
        Whole numbers of the shape of x.
    """
    shifted = x >> dash
    return torch.where(shifted == 0, torch.sign(x), shifted)


@ranged("Xylo's neuron")
@dataclass(frozen=True)
class XyloLif(Population):
    """A population of Xylo's neurons; the module says its equations.

    Args:
        dash_syn: shift of the current's decay, 0..15; at 0 nothing reaches the membrane.
        dash_mem: shift of the membrane's decay, 0..15; at 0 it keeps nothing.
        threshold: 1..32767.
        bias: added to the membrane in each step, 16 bits.
        most: spikes in a step at most, 1..31.

    Raises:
        UserError: a number that the chip's register cannot hold.
    """

    dash_syn: Dash
    dash_mem: Dash
    threshold: Annotated[int, Range(f"[1, {HIGHEST}]")]
    bias: Word = 0
    most: Annotated[int, Range(f"[1, {MOST_SPIKES}]")] = 1
    subtracts = True
    ends = (LOWEST, HIGHEST)

    @property
    def keep(self) -> float:  # type: ignore[override]
        """1 - 2^-dash_mem, but for the least decay of 1."""
        return 1 - 0.5**self.dash_mem

    @property
    def current_decay(self) -> float:  # type: ignore[override]
        """1 - 2^-dash_syn, but for the least decay of 1."""
        return 1 - 0.5**self.dash_syn

    @property
    def admit(self) -> float:  # type: ignore[override]
        """The share of an arriving current that its own step keeps."""
        return self.current_decay

    def step(self, before: Registers, arriving: Tensor) -> tuple[Tensor, Tensor, Registers]:
        current = saturated(before.current + arriving)
        current = current - decay(current, self.dash_syn)
        change = saturated(saturated(current - decay(before.membrane, self.dash_mem)) + self.bias)
        v = saturated(before.membrane + change)
        fired = torch.div(v, self.threshold, rounding_mode="floor").clamp(0, self.most)
        return fired, v, Registers(current, v - fired * self.threshold)


def dash_of(decay_a_step: float) -> int:
    """The shift whose decay is nearest in time constants: round(-log2(1 - decay)), at most 15.

    Source: rockpool, `tau_to_bitshift`, with decay = exp(-dt / tau).

    Args:
        decay_a_step: share that a step leaves, in [0, 1].
    """
    return LONGEST_DASH if decay_a_step >= 1 else min(round(-math.log2(1 - decay_a_step)), LONGEST_DASH)


def on_xylo(layer: str, neuron: Neuron[Any], units: float) -> WholeNeuron:
    """The neuron of Xylo that stands for one of a network.

    Every current of the chip has a decay, and the shortest keeps a half: a neuron that is driven at once gets that one.
    Its threshold is scaled so that a spike brings the charge that it brings in the network. A neuron fires once in a
    step at most, since texts and traces know spikes of 0 and 1, and a spike takes the threshold away, whatever the
    network's neuron does. A read-out has the highest threshold.

    Args:
        layer: for messages.
        neuron: `lif`, `if`, `cuba_lif` or `leaky_readout`.
        units: the whole number that stands for a current of 1, > 0.

    Returns:
        The neuron, with decays rounded to shifts.

    Raises:
        UserError: a neuron that Xylo does not have, or a threshold that its register does not hold.
    """
    numbers = numbers_of("Xylo", layer, neuron)
    dash_syn = max(dash_of(numbers.alpha), 1)
    charge = (2**dash_syn - 1) * (1 - numbers.alpha)
    worth = units * charge
    threshold = HIGHEST if numbers.theta is None else round(numbers.theta * worth)
    if not 1 <= threshold <= HIGHEST:
        raise UserError(
            f"layer '{layer}': a threshold of {numbers.theta:g} is {threshold} on Xylo, which holds 1..{HIGHEST}. Use "
            f"one between {1 / worth:.3g} and {HIGHEST / worth:.3g}, or another range"
        )
    return WholeNeuron(neuron, XyloLif(dash_syn, dash_of(numbers.beta), threshold), float(units), float(worth))
