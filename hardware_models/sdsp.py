"""ODIN's spike-driven synaptic plasticity: weights of 3 bits that go one step up or down, by voltage and calcium.

    up   = enabled and V >= theta_mem and theta_1 <= Ca < theta_3
    down = enabled and V <  theta_mem and theta_1 <= Ca < theta_2
    w'   = w + up - down at a presynaptic spike, within 0..7
    w'   = w + 1 where w >= 4, w - 1 where w < 4, at an event of bistability, within 0..7

V and Ca are those of the postsynaptic neuron after its latest update, V after its reset. Ca goes up by 1 at a spike of
that neuron, and down by 1 at each calcium leak, within 0..7; both at once leave it as it is.

Source: ODIN's RTL, `sdsp_update.v` and `lif_calcium.v`; Frenkel et al. 2019, IEEE TBioCAS 13(1), arXiv 1804.07858. The
RTL was read and not run. Whether the flags see the very spike that reads them was not traced.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, NamedTuple

import torch
from torch import Tensor

from neurorules.language.ranges import Range, ranged

HIGHEST_WEIGHT = 7
"""The largest weight, of 3 bits."""
UPPER_HALF = 4
"""The lowest weight that bistability drives up."""
HIGHEST_CALCIUM = 7
"""The highest calcium that a register of 3 bits holds."""
HIGHEST_MEMBRANE = 255
"""The highest membrane that a register of 8 bits without sign holds."""

Calcium = Annotated[int, Range(f"[0, {HIGHEST_CALCIUM}]")]


class Flags(NamedTuple):
    """The two flags that a postsynaptic neuron shows to all its synapses, bool and of the population's shape.

    Args:
        up: a presynaptic spike makes the weight larger.
        down: it makes it smaller.
    """

    up: Tensor
    down: Tensor


@ranged("ODIN's plasticity")
@dataclass(frozen=True)
class Sdsp:
    """The numbers of the rule; the module says its equations.

    Args:
        theta_mem: the membrane that parts up from down, 0..255.
        theta_1, theta_2, theta_3: the calcium at which learning begins, at which going down ends, and at which going up
            ends, 0..7.

    Raises:
        UserError: a number that the chip's register cannot hold.
    """

    theta_mem: Annotated[int, Range(f"[0, {HIGHEST_MEMBRANE}]")] = 128
    theta_1: Calcium = 1
    theta_2: Calcium = 4
    theta_3: Calcium = 7

    def flags(self, v: Tensor, calcium: Tensor, enabled: bool = True) -> Flags:
        """Say in which direction a presynaptic spike moves the weights of a neuron.

        Args:
            v: membranes after the reset, whole numbers in 0..255.
            calcium: whole numbers in 0..7, of the same shape.
            enabled: whether the neuron learns at all.

        Returns:
            Both flags, of which at most one is set.
        """
        above, active = v >= self.theta_mem, (calcium >= self.theta_1) & enabled
        return Flags(active & above & (calcium < self.theta_3), active & ~above & (calcium < self.theta_2))


def at_presynaptic_spike(w: Tensor, flags: Flags) -> Tensor:
    """Weights after a presynaptic spike.

    Args:
        w: whole numbers in 0..7.
        flags: flags of the postsynaptic neurons, which broadcast to the weights.

    Returns:
        Whole numbers in 0..7.
    """
    return (w + flags.up.to(w.dtype) - flags.down.to(w.dtype)).clamp(0, HIGHEST_WEIGHT)


def at_bistability(w: Tensor) -> Tensor:
    """Weights after an event that drives each to its nearer end.

    Args:
        w: whole numbers in 0..7.
    """
    return torch.where(w >= UPPER_HALF, w + 1, w - 1).clamp(0, HIGHEST_WEIGHT)


def calcium_after(calcium: Tensor, spike: Tensor, leak: bool) -> Tensor:
    """The calcium of neurons after an event.

    Args:
        calcium: whole numbers in 0..7.
        spike: whether each neuron fired, bool.
        leak: whether a calcium leak is due: after a number of time references, or never.

    Returns:
        Whole numbers in 0..7.
    """
    return (calcium + spike.to(calcium.dtype) - int(leak)).clamp(0, HIGHEST_CALCIUM)
