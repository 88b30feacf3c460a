"""Sums, differences, multiples and joins of what layers return, in the walk through a module's forward."""

from __future__ import annotations

from math import inf

from torch import Tensor, nn

from neurorules.contracts.connection import Shape
from neurorules.language.errors import UserError
from neurorules.network.layer import NETWORK_INPUT
from neurorules.torch_path.snntorch.relays import Relay, Sizes, Width
from neurorules.torch_path.snntorch.values import Activity, Arrival, Block, Current, Placed, Returned, Value


class Sums:
    """The blocks of a net so far, and what becomes of sums of what they return.

    Args:
        input_shape: the input shape of one sample at one step; None if only the module can say it.
        like: a tensor whose type and device fixed maps have.
    """

    def __init__(self, input_shape: Shape | None, like: Tensor) -> None:
        self.blocks: list[Block] = []
        self.sizes = Sizes(self.blocks, input_shape, like)
        self.used: set[int] = set()

    def _block(self, current: Current, population: Placed | None) -> Block:
        for arrival in current.arrivals:
            if id(arrival.linear.module) in self.used:
                raise UserError(f"{arrival.linear.at} drives two populations. Give each a layer of its own")
            self.used.add(id(arrival.linear.module))
        return Block(current.arrivals, current.norm, current.pool, population)

    def _spikes(self, value: Value) -> Value:
        """The value that a layer reads of a neuron that returns spikes and membrane together."""
        return Activity(value.source) if isinstance(value, Returned) else value

    def _sum(self, one: Value, other: Value, at: str) -> Value:
        parts = [self._spikes(part) for part in (one, other) if type(part) is not int or part != 0]
        if not all(isinstance(part, Activity | Current) for part in parts):
            raise UserError(f"{at} adds what is neither spikes nor a current. Add what layers return")
        widths = [width for part in parts if (width := self.sizes.width_of(part)) is not None]
        if len(parts) == 1:  # sum() begins with 0
            return parts[0]
        if not widths:
            raise UserError(
                f"{at} adds the input or flattened maps alone, whose number hangs on the shape of the input. Give the "
                f"learner input_shape"
            )
        parts.sort(key=lambda part: isinstance(part, Activity))
        current = Current(tuple(arrival for part in parts for arrival in self._arrivals(part, widths[0], at)))
        return current if any(isinstance(part, Current) for part in parts) else self._relay(current, at)

    def _times(self, part: Value, times: Value, at: str) -> Activity | Current:
        """Spikes or a current times a number; what is normalised or pooled goes through a relay."""
        part = self._spikes(part)
        if not isinstance(part, Activity | Current) or type(times) not in (int, float) or not 0 < abs(times) < inf:
            raise UserError(
                f"{at} multiplies by something that is not a plain number, or by 0. Rules do not teach such a factor: "
                f"write a number other than 0, as in 0.5 * x"
            )
        if isinstance(part, Current) and (changed := part.norm or part.pool) is not None:
            part = self._relay(part, changed.at)
        if isinstance(part, Activity):
            return part._replace(times=part.times * times)
        return Current(tuple(one._replace(current_times=one.current_times * times) for one in part.arrivals))

    def _arrivals(self, part: Activity | Current, width: Width, at: str) -> tuple[Arrival, ...]:
        """The linear maps that bring one part of a sum; what is normalised or pooled goes through a relay."""
        if isinstance(part, Current):
            changed = part.norm or part.pool
            if changed is None:
                return part.arrivals
            part = self._relay(part, changed.at)
        return (self.sizes.added(part, width, at),)

    def _joined(self, parts: Value, axis: Value, at: str) -> Activity:
        """Populations side by side, as one whose neurons hand on their spikes."""
        spikes = [self._spikes(part) for part in parts] if type(parts) is tuple else []
        if not spikes or not all(isinstance(part, Activity) for part in spikes) or axis not in (1, -1, -3):
            raise UserError(
                f"{at} joins something that is not spikes, or not along axis 1. Give it spikes of layers, and dim=1"
            )
        arrivals = self.sizes.joined(spikes, at)
        if axis != 1 and isinstance(arrivals[0].linear.module, nn.Conv2d) != (axis == -3):
            raise UserError(f"{at} joins along axis {axis}, which is not that of neurons or maps. Give it dim=1")
        return self._relay(Current(arrivals), at)

    def _relay(self, current: Current, at: str) -> Activity:
        self.blocks.append(self._block(current, Placed(at, Relay())))
        return Activity(len(self.blocks) - 1)

    def _relay_at(self, source: int) -> Placed | None:
        population = None if source == NETWORK_INPUT else self.blocks[source].population
        return population if population is not None and isinstance(population.module, Relay) else None
