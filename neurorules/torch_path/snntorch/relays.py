"""Populations that hand on what reaches them, and the fixed maps that lead there: sums and joins of spikes.

A sum of spikes, as `x + lif(fc(x))` has it, is no spike. It becomes a population without threshold or memory, whose
fixed weights, 1 or the number that a part is multiplied by, add up what arrives. A current that is normalised or pooled
before another one is added to it becomes such a population as well: its weights learn there.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from torch import Tensor, nn

from neurorules.contracts.connection import Shape
from neurorules.language.errors import UserError
from neurorules.network.layer import NETWORK_INPUT
from neurorules.torch_path.snntorch.modules import shape_after, to_connection, to_transforms
from neurorules.torch_path.snntorch.values import Activity, Arrival, Block, Current, Placed


class Relay(nn.Module):
    """A population that hands on its current: what it sends is what reaches it."""


class Width(NamedTuple):
    """The number of neurons or maps of a population.

    Args:
        size: how many there are.
        maps: whether they are maps.
    """

    size: int
    maps: bool


class Sizes:
    """The shapes of a net's populations, as far as they are known.

    Args:
        blocks: the blocks of the net so far, which may grow.
        input_shape: the input shape of one sample at one step; None if nobody knows.
        like: a tensor whose type and device fixed maps have.
    """

    def __init__(self, blocks: Sequence[Block], input_shape: Shape | None, like: Tensor) -> None:
        self.blocks, self.input_shape, self.like = blocks, input_shape, like

    def width_of(self, part: Activity | Current) -> Width | None:
        """The number of neurons or maps that send spikes or get a current.

        Args:
            part: spikes or a current.

        Returns:
            Their number; None if it is not known: of the input, and of maps that were flattened, where nobody says the
            shape of the input.
        """
        if isinstance(part, Activity):
            flattened = any(isinstance(one.module, nn.Flatten) for one in part.before)
            linear = None if part.source == NETWORK_INPUT else self.blocks[part.source].arrivals[0].linear.module
        else:
            flattened, linear = False, part.arrivals[0].linear.module
        maps = isinstance(linear, nn.Conv1d | nn.Conv2d)
        if linear is None or (maps and flattened):
            shape = self.shape_of(part)
            return None if shape is None else Width(shape[0], len(shape) > 1)
        weight = linear.weight
        assert isinstance(weight, Tensor)
        return Width(len(weight), maps)

    def shape_of(self, part: Activity | Current) -> Shape | None:
        """The shape of a population's spikes behind their transforms, or of a current; None if it is not known."""
        if isinstance(part, Activity):
            if part.source == NETWORK_INPUT:
                shape = self.input_shape
            else:
                block = self.blocks[part.source]
                shape = self.shape_of(Current(block.arrivals, block.norm, block.pool))
            return None if shape is None else to_transforms(part.before, shape)[1]
        first = part.arrivals[0]
        source = self.shape_of(Activity(first.source))
        if source is None:
            return None
        _, pre = to_transforms(first.before, source, first.linear.module)
        connection, _ = to_connection(first.linear.module, first.linear.at, part.pool)
        return shape_after(connection, first.linear.at, pre)

    def straight(self, width: Width, first: int, total: int) -> nn.Module:
        """The fixed map that hands each spike on to one neuron.

        Args:
            width: the width of the population that it reads.
            first: number of the neuron or map that the first one reaches.
            total: number of neurons or maps of the population that it drives.

        Returns:
            A Linear, or a Conv2d of one pixel, whose weights are 1 from neuron or map i to neuron or map first + i,
            else 0, and do not learn.
        """
        ones = self.like.new_zeros(total, width.size)
        ones[range(first, first + width.size), range(width.size)] = 1
        linear: nn.Linear | nn.Conv2d  # on "meta", where nothing is drawn
        if width.maps:
            linear, ones = nn.Conv2d(width.size, total, 1, bias=False, device="meta"), ones[:, :, None, None]
        else:
            linear = nn.Linear(width.size, total, bias=False, device="meta")
        linear.weight = nn.Parameter(ones, requires_grad=False)
        return linear

    def added(self, part: Activity, width: Width, at: str) -> Arrival:
        """The arrival that adds spikes to a current of as many neurons or maps.

        Args:
            part: the spikes.
            width: the width of the sum.
            at: names the sum in messages.

        Returns:
            A linear map of fixed weights.
        """
        return Arrival(part.source, part.before, Placed(at, self.straight(width, 0, width.size)), part.times)

    def joined(self, parts: Sequence[Activity], at: str) -> tuple[Arrival, ...]:
        """The arrivals that put the spikes of several populations side by side, as `torch.cat` does.

        Args:
            parts: their spikes, in order.
            at: names the call in messages.

        Returns:
            One linear map of fixed weights for each.

        Raises:
            UserError: neurons beside maps, or a population whose size is not known.
        """
        widths = [self.width_of(part) for part in parts]
        sizes = [width for width in widths if width is not None]
        if len(sizes) < len(parts):
            raise UserError(
                f"{at} joins the input or flattened maps, whose number hangs on the shape of the input. Give the "
                f"learner input_shape"
            )
        if len({width.maps for width in sizes}) != 1:
            raise UserError(f"{at} joins neurons with maps. Flatten the maps before")
        total, first = sum(width.size for width in sizes), 0
        arrivals: list[Arrival] = []
        for part, width in zip(parts, sizes, strict=True):
            linear = Placed(at, self.straight(width, first, total))
            arrivals.append(Arrival(part.source, part.before, linear, part.times))
            first += width.size
        return tuple(arrivals)
