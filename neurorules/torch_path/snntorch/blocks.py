"""The layers of a module, found by walking the calls of one step of its forward.

A layer is a population with everything that drives it: linear maps of spikes, added up; perhaps batch normalisation or
a pool of that current; then a Leaky or another neuron. The last layer may be a linear map alone.
"""

from __future__ import annotations

import operator
from typing import Any

import snntorch
import torch
from torch import fx, nn

from neurorules.contracts.connection import Shape
from neurorules.language.errors import UserError
from neurorules.network.layer import NETWORK_INPUT
from neurorules.torch_path.snntorch.module_checks import RECURRENT, WEIGHTED, check_module, check_plain, check_unshared
from neurorules.torch_path.snntorch.modules import LAYER_KINDS, to_transform
from neurorules.torch_path.snntorch.relays import Width
from neurorules.torch_path.snntorch.sums import Sums
from neurorules.torch_path.snntorch.tracing import ONE_STEP, Resets, place_of, trace
from neurorules.torch_path.snntorch.values import (
    METHODS,
    MODULES_OF,
    NEGATIVES,
    PRODUCTS,
    QUOTIENTS,
    SAME,
    SUMS,
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


def blocks_of(module: nn.Module, input_shape: Shape | None = None) -> list[Block]:
    """The layers of a module, in the order in which they run; the last one is the read-out.

    Args:
        module: a Sequential, or a module with a forward of its own.
        input_shape: the input shape of one sample at one step; None if only the module can say it.

    Returns:
        One block for each layer.

    Raises:
        UserError: something in the module has no counterpart here: its place, and what can be done.
    """
    check_module(module)
    with Resets(module) as resets:
        graph = trace(module)
    blocks = _Walk(module, input_shape).run(graph)
    resets.refuse()
    return blocks


class _Walk(Sums):
    """One walk through the calls of a step."""

    def __init__(self, root: nn.Module, input_shape: Shape | None) -> None:
        self.root = root
        super().__init__(input_shape, next(root.parameters(), torch.empty(0)))
        self.values: dict[fx.Node, Value] = {}
        self.owned: set[int] = set()
        self.states: dict[str, str] = {}

    def run(self, graph: fx.Graph) -> list[Block]:
        """Follow every call, then what is returned."""
        has_input = False
        self.sizes.input_shape = self._flat_input(graph) or self.sizes.input_shape
        for node in graph.nodes:
            if node.op == "placeholder":
                self.values[node] = State(None, node.name) if has_input else Activity(NETWORK_INPUT)
                has_input = True
            elif node.op == "output":
                self._end(node)
            else:
                self.values[node] = self._value(node)
        return self.blocks

    def _flat_input(self, graph: fx.Graph) -> Shape | None:
        """The shape of an input that a Linear reads as it is; None if none does."""
        for node in graph.nodes:
            module = self.root.get_submodule(str(node.target)) if node.op == "call_module" else None
            source = node.args[0] if node.args else None
            while isinstance(source, fx.Node) and source.target in SAME:
                source = source.args[0]
            if isinstance(module, nn.Linear) and isinstance(source, fx.Node) and not source.all_input_nodes:
                return (module.in_features,) if source.op == "placeholder" else None
        return None

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
        computed = self._computed(node.target, args, kwargs, at)
        if computed is not None:
            return computed
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

    def _computed(self, function: Any, args: list[Value], kwargs: dict[str, Value], at: str) -> Value | None:
        """A sum, difference or multiple of what earlier calls gave; None if the function computes none of these."""
        if any(isinstance(one, Size) for one in args[:2]) and function in (*SUMS, *PRODUCTS, *QUOTIENTS):
            return Size()
        if function in SUMS and kwargs.keys() <= {"alpha"}:
            times = SUMS[function] * kwargs.get("alpha", 1)
            return self._sum(args[0], args[1] if times == 1 else self._times(args[1], times, at), at)
        if function in PRODUCTS and len(args) == 2 and not kwargs:
            part, times = args if isinstance(args[1], int | float) else args[::-1]
            return self._times(part, times, at)
        if function in QUOTIENTS and isinstance(args[1], int | float) and args[1] and not kwargs:
            return self._times(args[0], 1 / args[1], at)
        return self._times(args[0], -1, at) if function in NEGATIVES else None

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
            return Current((Arrival(argument.source, argument.before, here, argument.times),))
        if isinstance(module, Populations):
            return self._population(here, argument, args[1:])
        if isinstance(argument, Current):
            return self._on_current(here, argument)
        if isinstance(module, Norms):
            raise UserError(f"{at} acts on spikes. Put it behind a Linear or Conv2d, before the Leaky")
        if isinstance(module, nn.MaxPool1d | nn.MaxPool2d) and argument.times < 0:
            raise UserError(f"{at} pools by the maximum what is multiplied by {argument.times:g}. Pool before that")
        return argument if to_transform(at, module) is None else argument._replace(before=(*argument.before, here))

    def _width(self, argument: Activity | Current, at: str) -> Width:
        width = self.sizes.width_of(argument)
        if width is None:
            raise UserError(f"{at} has no Linear or Conv2d before it. Put one there, or give input_shape")
        return width

    def _population(self, here: Placed, argument: Activity | Current, states: list[Value]) -> Value:
        at, module = here
        if isinstance(argument, Activity):
            argument = Current((self.sizes.added(argument, self._width(argument, at), at),))
        elif argument.norm is not None and isinstance(module, (snntorch.Lapicque, *RECURRENT)):
            # what is added after the normalisation, or multiplied there, is no part of it
            width = self._width(argument, at)
            argument = Current((self.sizes.added(self._relay(argument, argument.norm.at), width, at),))
        for state in states:
            self._check_state(state, at)
        self.blocks.append(self._block(argument, here))
        together = isinstance(module, Spiking) and (module.output or not module.init_hidden)
        return Returned(len(self.blocks) - 1) if together else Activity(len(self.blocks) - 1)

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

    def _refused(self, at: str) -> Value:
        raise UserError(
            f"{at} has no counterpart here. Known: {', '.join(LAYER_KINDS)}, sums and torch.cat. "
            f"Leave it out of forward"
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
        elif isinstance(part, Activity) and part.times != 1:
            raise UserError("forward multiplies what its last layer returns. Return that as it is")
        elif isinstance(part, Activity) and part.before:
            raise UserError(f"{part.before[0].at} stands behind the read-out. Remove it, or end with a Linear")
        elif isinstance(part, Activity) and (relay := self._relay_at(part.source)) is not None:
            raise UserError(f"{relay.at} stands behind the read-out. End with a Linear that reads it")
        elif not isinstance(part, Activity | Returned | State):
            raise UserError("forward returns what is neither spikes nor a membrane of its last layer. Return these")
