"""The change of a memristive synapse by one pulse, and by a train of pulses.

Values x are in units of the range for which a fit is given, in which it lies between about -1 and 1. Source of all
forms but `curve`: the code of aihwkit 1.1.0, `rpucuda` (Rasch et al. 2021, arxiv.org/abs/2104.02184). `curve` is
that of NeuroSim's MLP simulator V3.0 (`Cell.cpp`, `formula.cpp`), whose conductance behind P of Pmax pulses is

    G(P) = B (1 - exp(-P / A)) + Gmin,   B = (Gmax - Gmin) / (1 - exp(-Pmax / A))
"""

from __future__ import annotations

from typing import Literal, NamedTuple

import torch
from torch import Tensor

Law = Literal["constant", "linear", "soft_bounds", "exponential", "power", "curve"]
LONGEST = 20.0
"""Length of the longest train that is followed, in pulses of the mean size that cross a range of 1. Longer ones leave a
synapse where its law leads in the end."""


class Steps(NamedTuple):
    """The numbers of a step law that all synapses share.

    Args:
        law: which one.
        up, down: `linear`: by what share of a step at 0 steps shrink towards the bound; `power`: the exponents;
            `curve`: A over Pmax, > 0, the smaller the more it bends.
        a, b: `exponential`: z = 2 x / (high - low) a + b.
        amount_up, amount_down, rate_up, rate_down: `exponential`: y = max(1 - amount exp(+-rate z), 0) of a step.
        additive: whether the noise of a cycle is that of a step at 0 wherever x is, and not in proportion to the step.
        cycle: standard deviation of a step over its mean, from pulse to pulse.
    """

    law: Law
    up: float = 1.0
    down: float = 1.0
    a: float = 0.0
    b: float = 0.0
    amount_up: float = 0.0
    amount_down: float = 0.0
    rate_up: float = 0.0
    rate_down: float = 0.0
    additive: bool = False
    cycle: float = 0.0


class Synapses(NamedTuple):
    """The numbers of each synapse, (*shape).

    Args:
        rise, fall: sizes of its steps up and down at 0, >= 0; 0 for a dead one.
        high, low: its bounds.
        bend_up, bend_down: its own `Steps.up` and `Steps.down`.
    """

    rise: Tensor
    fall: Tensor
    high: Tensor
    low: Tensor
    bend_up: Tensor
    bend_down: Tensor

    def at(self, places: Tensor | slice) -> Synapses:
        """Those at some places of the flat order."""
        return Synapses(*(one.reshape(-1)[places] for one in self))


def mean_step(steps: Steps, own: Synapses, x: Tensor, up: Tensor) -> Tensor:
    """The change that one pulse makes on average.

    Args:
        steps: the law.
        own: numbers of these synapses.
        x: their values.
        up: whether the pulse is one up, of the shape of x.

    Returns:
        The change, of the shape of x, before the bounds clip it.
    """
    rise, fall = own.rise, own.fall
    if steps.law == "linear":
        rise, fall = rise * (1 - own.bend_up * x), fall * (1 + own.bend_down * x)
    elif steps.law == "soft_bounds":
        rise, fall = rise * (1 - x / own.high), fall * (1 - x / own.low)
    elif steps.law == "exponential":
        z = 2 * x / (own.high - own.low) * steps.a + steps.b
        rise = rise * (1 - steps.amount_up * torch.exp(steps.rate_up * z)).clamp(min=0)
        fall = fall * (1 - steps.amount_down * torch.exp(-steps.rate_down * z)).clamp(min=0)
    elif steps.law == "power":
        width = own.high - own.low
        rise = rise * ((own.high - x) / width).clamp(min=0) ** own.bend_up
        fall = fall * ((x - own.low) / width).clamp(min=0) ** own.bend_down
    elif steps.law == "curve":
        rise = _along_curve(x - own.low, own.high - own.low, rise, own.bend_up)
        fall = _along_curve(own.high - x, own.high - own.low, fall, own.bend_down)
    live = torch.where(up, own.rise, own.fall) > 0  # the bounds of a dead one lie together, where laws divide by 0
    return torch.where(live, torch.where(up, rise, -fall), torch.zeros_like(x))


def _along_curve(gone: Tensor, width: Tensor, step: Tensor, bend: Tensor) -> Tensor:
    """The step of `curve` from where a synapse is on its way through the range; 1 / Pmax is the mean step over it."""
    end = width / (1 - torch.exp(-1 / bend))  # B: where pulses would lead without the bound
    return (end - gone) * (1 - torch.exp(-step / (width * bend)))


def end_of(steps: Steps, own: Synapses, x: Tensor, up: Tensor) -> Tensor:
    """The values to which pulses in one direction lead in the end.

    Args:
        steps: the law; of `exponential`, which may end anywhere, the values as they are.
        own: numbers of these synapses.
        x: their values.
        up: whether the pulses are up.

    Returns:
        The bound, or before it where linear steps vanish; dead ones stay.
    """
    if steps.law == "exponential":
        return x
    high, low = own.high, own.low
    if steps.law == "linear":
        high, low = torch.minimum(high, 1 / own.bend_up), torch.maximum(low, -1 / own.bend_down)
    live = torch.where(up, own.rise, own.fall) > 0
    return torch.where(live, torch.where(up, high, low), x)


def pulsed(steps: Steps, own: Synapses, x: Tensor, counts: Tensor, generator: torch.Generator, longest: int) -> Tensor:
    """Values behind trains of pulses, one after the other, clipped at the bounds.

    Args:
        steps: the law.
        own: numbers of each synapse.
        x: values (*shape).
        counts: whole numbers of pulses, up where positive, of the shape of x.
        generator: generator of the noise of cycles, on the CPU.
        longest: the most pulses of a train that are followed.

    Returns:
        The values afterwards.
    """
    up_all, left = counts.reshape(-1) > 0, counts.reshape(-1).abs()
    flat = torch.where(left > longest, end_of(steps, own.at(slice(None)), x.reshape(-1), up_all), x.reshape(-1))
    left = torch.where((left > longest) & (steps.law != "exponential"), 0, left.clamp(max=longest))
    for done in range(int(left.max()) if left.numel() else 0):
        places = (left > done).nonzero().reshape(-1)
        here, value, up = own.at(places), flat[places], up_all[places]
        change = mean_step(steps, here, value, up)
        if steps.cycle:
            noise = torch.randn(len(places), generator=generator, dtype=torch.float64).to(change) * steps.cycle
            size = torch.where(up, here.rise, -here.fall) if steps.additive else change
            change = change + size * noise
        moved = torch.minimum(torch.maximum(value + change, here.low), here.high)
        flat[places] = moved
        if torch.equal(moved, value):
            break
    return flat.reshape(x.shape)
