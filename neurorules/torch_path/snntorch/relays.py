"""Populations that hand on what reaches them, and the fixed maps that lead there: sums and joins of spikes.

A sum of spikes, as `x + lif(fc(x))` has it, is no spike. It becomes a population without threshold or memory, whose
fixed weights of 1 add up what arrives. A current that is normalised or pooled before another one is added to it
becomes such a population as well: its weights learn there.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from torch import Tensor, nn

from neurorules.language.errors import UserError
from neurorules.network.layer import NETWORK_INPUT
from neurorules.torch_path.snntorch.values import Activity, Arrival, Block, Current, Placed


class Relay(nn.Module):
    """A population that hands on its current: what it sends is what reaches it."""


class Width(NamedTuple):
    """The number of neurons or maps of a population.

    Args:
        size: how many there are.
        maps: whether they are maps.
        like: a tensor whose type and device its fixed maps have.
    """

    size: int
    maps: bool
    like: Tensor


def straight(width: Width, first: int, total: int) -> nn.Module:
    """The fixed map that hands each spike on to one neuron.

    Args:
        width: of the population that it reads.
        first: number of the neuron or map that the first one reaches.
        total: number of neurons or maps of the population that it drives.

    Returns:
        A Linear, or a Conv2d of one pixel, whose weights are 1 from neuron or map i to neuron or map first + i, else
        0, and do not learn.
    """
    ones = width.like.new_zeros(total, width.size)
    ones[range(first, first + width.size), range(width.size)] = 1
    linear: nn.Linear | nn.Conv2d  # on "meta", where nothing is drawn
    if width.maps:
        linear, ones = nn.Conv2d(width.size, total, 1, bias=False, device="meta"), ones[:, :, None, None]
    else:
        linear = nn.Linear(width.size, total, bias=False, device="meta")
    linear.weight = nn.Parameter(ones, requires_grad=False)
    return linear


def added(part: Activity, width: Width, at: str) -> Arrival:
    """The arrival that adds spikes to a current of as many neurons or maps.

    Args:
        part: the spikes.
        width: of the sum.
        at: names the sum in messages.

    Returns:
        A linear map of fixed weights.
    """
    return Arrival(part.source, part.before, Placed(at, straight(width, 0, width.size)))


def joined(parts: Sequence[Activity], blocks: Sequence[Block], at: str) -> tuple[Arrival, ...]:
    """The arrivals that put the spikes of several populations side by side, as `torch.cat` does.

    Args:
        parts: their spikes, in order.
        blocks: of the net so far.
        at: names the call in messages.

    Returns:
        One linear map of fixed weights for each.

    Raises:
        UserError: neurons beside maps, or a population whose size the module does not say.
    """
    widths = [width_of(part, blocks) for part in parts]
    sizes = [width for width in widths if width is not None]
    if len(sizes) < len(parts) or len({width.maps for width in sizes}) != 1:
        raise UserError(
            f"{at} joins what has no known number of neurons (the input, or flattened maps), or neurons with maps. "
            f"Join spikes of Linear layers, or maps before they are flattened"
        )
    total, first = sum(width.size for width in sizes), 0
    arrivals: list[Arrival] = []
    for part, width in zip(parts, sizes, strict=True):
        arrivals.append(Arrival(part.source, part.before, Placed(at, straight(width, first, total))))
        first += width.size
    return tuple(arrivals)


def width_of(part: Activity | Current, blocks: Sequence[Block]) -> Width | None:
    """The number of neurons or maps that send spikes or get a current.

    Args:
        part: spikes or a current.
        blocks: of the net so far.

    Returns:
        Their number; None where a module alone does not say it: of the input, and of maps that were flattened.
    """
    if isinstance(part, Activity):
        if part.source == NETWORK_INPUT:
            return None
        arrivals = blocks[part.source].arrivals
    else:
        arrivals = part.arrivals
    linear = arrivals[0].linear.module
    assert isinstance(linear, nn.Linear | nn.Conv2d)
    maps = isinstance(linear, nn.Conv2d)
    if maps and isinstance(part, Activity) and any(isinstance(one.module, nn.Flatten) for one in part.before):
        return None
    return Width(len(linear.weight), maps, linear.weight.detach())
