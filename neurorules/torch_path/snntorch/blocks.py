"""The layers of a module, found by walking the calls of one step of its forward.

A layer is a population with everything that drives it: linear maps of spikes, added up; perhaps batch normalisation or
a pool of that current; then a Leaky or another neuron. The last layer may be a linear map alone.
"""

from __future__ import annotations

import operator
from typing import Any

import torch
from torch import fx, nn

from neurorules.language.errors import UserError
from neurorules.network.layer import NETWORK_INPUT
from neurorules.torch_path.snntorch.module_checks import WEIGHTED, check_module, check_plain, check_unshared
from neurorules.torch_path.snntorch.modules import KNOWN, to_transform
from neurorules.torch_path.snntorch.relays import Relay, Width, added, joined, width_of
from neurorules.torch_path.snntorch.tracing import ONE_STEP, Resets, place_of, trace
from neurorules.torch_path.snntorch.values import (
    METHODS,
    MODULES_OF,
    SAME,
    Activity,
    Arrival,
    Block,
    Current,
    Norms,
    Placed,
    Pools,
    Populations,
    Returned,
    Size,
    Spiking,
    State,
    Value,
)


def blocks_of(module: nn.Module) -> list[Block]:
    """The layers of a module, in the order in which they run; the last one is the read-out.

    Args:
        module: a Sequential, or a module with a forward of its own.

    Returns:
        One block for each layer.

    Raises:
        UserError: something in the module has no counterpart here: its place, and what can be done.
    """
    check_module(module)
    with Resets(module) as resets:
        graph = trace(module)
    blocks = _Walk(module).run(graph)
    resets.refuse()
    return blocks


class _Walk:
    """One walk through the calls of a step."""

    def __init__(self, root: nn.Module) -> None:
        self.root = root
        self.blocks: list[Block] = []
        self.values: dict[fx.Node, Value] = {}
        self.owned: set[int] = set()
        self.states: dict[str, str] = {}
        self.used: set[int] = set()

    def run(self, graph: fx.Graph) -> list[Block]:
        """Follow every call, then what is returned."""
        has_input = False
        for node in graph.nodes:
            if node.op == "placeholder":
                self.values[node] = State(None, node.name) if has_input else Activity(NETWORK_INPUT)
                has_input = True
            elif node.op == "output":
                self._end(node)
            else:
                self.values[node] = self._value(node)
        return self.blocks

    def _value(self, node: fx.Node) -> Value:
        args = [self._of(one) for one in node.args]
        kwargs = {name: self._of(one) for name, one in node.kwargs.items()}
        at = place_of(node, self.root)
        if node.op == "get_attr":
            return self._attribute(str(node.target), at)
        if node.op == "call_module":
            return self._called(Placed(at, self.root.get_submodule(str(node.target))), [*args, *kwargs.values()])
        first = args[0] if args else None
        if node.target is operator.getitem or node.target is getattr:
            return self._item(first, args[1], at)
        if node.target in (operator.add, operator.iadd, torch.add, "add", "add_") and not kwargs:
            return self._sum(first, args[1], at)
        if node.target in (torch.cat, torch.concat, torch.concatenate):
            return self._joined(first, kwargs.get("dim", kwargs.get("axis", (*args, 0)[1])), at)
        if isinstance(first, Size) or node.target in ("size", "dim"):
            return Size()
        if node.target in SAME:
            return first
        if node.target in ("view", "reshape", torch.reshape):
            return self._flattened(first, args[1:], at)
        if node.target in ("mean", torch.mean):
            return self._averaged(first, (*args[1:], *kwargs.values()), at)
        make = METHODS.get(node.target) if isinstance(node.target, str) else MODULES_OF.get(node.target)
        if make is None:
            return self._refused(at)
        arguments = {name: False if isinstance(one, Size) else one for name, one in kwargs.items()}
        return self._called(Placed(at, make(*args[1:], **arguments)), [first])

    def _attribute(self, path: str, at: str) -> Value:
        """A tensor that forward reads: a fresh membrane, or one that a neuron keeps; anything else is refused."""
        owner = path.rpartition(".")[0]
        if path.startswith("_tensor_constant") or isinstance(self.root.get_submodule(owner), Spiking):
            return State(None)
        return self._refused(at)

    def _of(self, argument: Any) -> Value:
        if isinstance(argument, fx.Node):
            return self.values[argument]
        if isinstance(argument, tuple | list):
            return tuple(self._of(one) for one in argument)
        if isinstance(argument, dict):
            return tuple(self._of(one) for one in argument.values())
        return argument

    def _called(self, here: Placed, args: list[Value]) -> Value:
        at, module = here
        check_plain(module, at)
        if id(module) in self.owned and not isinstance(self.root, nn.Sequential):
            raise UserError(f"{at} runs more than once. {ONE_STEP}, and give each place a layer of its own")
        check_unshared(module, at, self.owned)
        argument = self._spikes(args[0]) if args else None
        if not isinstance(argument, Activity | Current):
            raise UserError(f"{at} reads neither spikes nor a current. Give it what a layer before it returns")
        if isinstance(module, nn.Identity):
            return argument
        if isinstance(module, WEIGHTED):
            if isinstance(argument, Current):
                before = argument.arrivals[0].linear.at
                raise UserError(f"{at} follows {before} with no Leaky between. Put one there")
            return Current((Arrival(argument.source, argument.before, here),))
        if isinstance(module, Populations):
            return self._population(here, argument, args[1:])
        if isinstance(argument, Current):
            return self._on_current(here, argument)
        if isinstance(module, Norms):
            raise UserError(f"{at} acts on spikes. Put it behind a Linear or Conv2d, before the Leaky")
        return argument if to_transform(at, module) is None else Activity(argument.source, (*argument.before, here))

    def _population(self, here: Placed, argument: Activity | Current, states: list[Value]) -> Value:
        at, module = here
        if isinstance(argument, Activity):
            width = width_of(argument, self.blocks)
            if width is None:
                raise UserError(f"{at} has no Linear or Conv2d before it. Put one there")
            argument = Current((added(argument, width, at),))
        for state in states:
            self._check_state(state, at)
        self.blocks.append(self._block(argument, here))
        together = isinstance(module, Spiking) and (module.output or not module.init_hidden)
        return Returned(len(self.blocks) - 1) if together else Activity(len(self.blocks) - 1)

    def _block(self, current: Current, population: Placed | None) -> Block:
        for arrival in current.arrivals:
            if id(arrival) in self.used:
                raise UserError(f"{arrival.linear.at} drives two populations. Give each a layer of its own")
            self.used.add(id(arrival))
        return Block(current.arrivals, current.norm, current.pool, population)

    def _check_state(self, state: Value, at: str) -> None:
        if state is None:
            return
        if not isinstance(state, State) or state.source is not None or not state.name:
            raise UserError(f"{at} does not go on from its own membrane of the step before. {ONE_STEP}")
        other = self.states.setdefault(state.name, at)
        if other != at:
            raise UserError(f"'{state.name}' is handed to {other} and to {at}. Give each layer a membrane of its own")

    def _on_current(self, here: Placed, current: Current) -> Current:
        at, module = here
        alone = current.norm is None and current.pool is None
        if isinstance(module, Norms) and current.norm is None:
            return Current(current.arrivals, here, current.pool)
        if isinstance(module, Pools) and alone and len(current.arrivals) == 1:
            return Current(current.arrivals, None, here)
        if not isinstance(module, Norms):
            to_transform(at, module)
        if isinstance(module, Pools) and current.norm is not None:
            raise UserError(f"{at} pools what {current.norm.at} normalised. Pool first, or behind the Leaky")
        raise UserError(f"{at} acts on the current of {current.arrivals[0].linear.at}. Put it behind a Leaky")

    def _sum(self, one: Value, other: Value, at: str) -> Value:
        if isinstance(one, Size) or isinstance(other, Size):
            return Size()
        parts = [self._spikes(part) for part in (one, other) if type(part) is not int or part != 0]
        if not all(isinstance(part, Activity | Current) for part in parts):
            raise UserError(f"{at} adds what is neither spikes nor a current. Add what layers return")
        widths = [width for part in parts if (width := width_of(part, self.blocks)) is not None]
        if len(parts) == 1:  # sum() begins with 0
            return parts[0]
        if not widths:
            raise UserError(
                f"{at} adds the input or flattened maps alone. Add the spikes of a layer, or before Flatten"
            )
        parts.sort(key=lambda part: isinstance(part, Activity))
        current = Current(tuple(arrival for part in parts for arrival in self._arrivals(part, widths[0], at)))
        return current if any(isinstance(part, Current) for part in parts) else self._relay(current, at)

    def _arrivals(self, part: Activity | Current, width: Width, at: str) -> tuple[Arrival, ...]:
        """The linear maps that bring one part of a sum; what is normalised or pooled goes through a relay."""
        if isinstance(part, Current):
            changed = part.norm or part.pool
            if changed is None:
                return part.arrivals
            part = self._relay(part, changed.at)
        return (added(part, width, at),)

    def _relay(self, current: Current, at: str) -> Activity:
        self.blocks.append(self._block(current, Placed(at, Relay())))
        return Activity(len(self.blocks) - 1)

    def _relay_at(self, source: int) -> Placed | None:
        population = None if source == NETWORK_INPUT else self.blocks[source].population
        return population if population is not None and isinstance(population.module, Relay) else None

    def _joined(self, parts: Value, axis: Value, at: str) -> Activity:
        """Populations side by side, as one whose neurons hand on their spikes."""
        spikes = [self._spikes(part) for part in parts] if type(parts) is tuple else []
        if not spikes or not all(isinstance(part, Activity) for part in spikes) or axis not in (1, -1, -3):
            raise UserError(f"{at} joins what are no spikes, or not along axis 1. Give it spikes of layers, and dim=1")
        arrivals = joined(spikes, self.blocks, at)
        if axis != 1 and isinstance(arrivals[0].linear.module, nn.Conv2d) != (axis == -3):
            raise UserError(f"{at} joins along axis {axis}, which is not that of neurons or maps. Give it dim=1")
        return self._relay(Current(arrivals), at)

    def _item(self, of: Value, key: Value, at: str) -> Value:
        if isinstance(of, Returned):
            return Activity(of.source) if key == 0 else State(of.source)
        if isinstance(of, State | Size) or key == "shape":
            return of if isinstance(of, State) else Size()
        if isinstance(of, tuple) and isinstance(key, int):
            return of[key]
        return self._refused(at)

    def _flattened(self, argument: Value, sizes: list[Value], at: str) -> Value:
        axes = [one for size in sizes for one in (size if type(size) is tuple else (size,))]
        flat = len(axes) == 2 and (isinstance(axes[0], Size) or -1 in axes)
        return self._called(Placed(at, nn.Flatten()), [argument]) if flat else self._refused(at)

    def _averaged(self, argument: Value, options: tuple[Value, ...], at: str) -> Value:
        """The mean of each map, as networks take it before their read-out."""
        axes, keep = options if len(options) == 2 else (*options, False)
        if axes not in ((2, 3), (-2, -1), (-1, -2)) or type(keep) is not bool:
            return self._refused(at)
        pooled = self._called(Placed(at, nn.AdaptiveAvgPool2d(1)), [argument])
        return pooled if keep else self._called(Placed(at, nn.Flatten()), [pooled])

    def _spikes(self, value: Value) -> Value:
        """The value that a layer reads of a neuron that returns spikes and membrane together."""
        return Activity(value.source) if isinstance(value, Returned) else value

    def _refused(self, at: str) -> Value:
        raise UserError(
            f"{at} has no counterpart here. Known: {', '.join(KNOWN)}, sums and torch.cat. Leave it out of forward"
        )

    def _end(self, node: fx.Node) -> None:
        """Close with the read-out, and see that all other layers are read."""
        returned = self._of(node.args[0])
        parts = returned if type(returned) is tuple else (returned,)
        for part in parts:
            self._check_end(part)
        last = len(self.blocks) - 1
        read = {arrival.source for block in self.blocks for arrival in block.arrivals}
        read |= {
            part.source for part in parts if isinstance(part, Activity | Returned | State) and part.source is not None
        }
        read |= {last} if any(isinstance(part, Current) for part in parts) else set()
        for index, block in enumerate(self.blocks):
            if index not in read and block.population is not None:
                raise UserError(f"{block.population.at} is read by no layer behind it. Remove it, or read its spikes")

    def _check_end(self, part: Value) -> None:
        if isinstance(part, Current):
            self.blocks.append(self._block(part, None))
        elif isinstance(part, Activity) and part.before:
            raise UserError(f"{part.before[0].at} stands behind the read-out. Remove it, or end with a Linear")
        elif isinstance(part, Activity) and (relay := self._relay_at(part.source)) is not None:
            raise UserError(f"{relay.at} stands behind the read-out. End with a Linear that reads it")
        elif not isinstance(part, Activity | Returned | State):
            raise UserError("forward returns what is neither spikes nor a membrane of its last layer. Return these")
