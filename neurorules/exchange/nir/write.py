"""A graph of NIR from a net."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from torch import Tensor

from neurorules.connections._convolution import Convolution
from neurorules.connections.dense import Dense
from neurorules.connections.recurrent import Recurrent
from neurorules.connections.recurrent_single import RecurrentSingle
from neurorules.contracts.transform import Transform
from neurorules.exchange.folding import Folded, fold
from neurorules.exchange.nir.cells import Cells, Unsayable
from neurorules.exchange.nir.file import package
from neurorules.exchange.nir.maps import FROZEN
from neurorules.exchange.nir.options import DT, METHOD, START, STEP_SECONDS, UNIT
from neurorules.language.errors import UserError
from neurorules.language.ranges import Positive, check_range
from neurorules.language.version import own_version
from neurorules.network.layer import NETWORK_INPUT, Input, Layer
from neurorules.network.model import Learned
from neurorules.network.network import Network
from neurorules.neurons._resting import RestingIntegrator
from neurorules.transforms.dropout import Dropout
from neurorules.transforms.flatten import Flatten
from neurorules.transforms.one_row import OneRow
from neurorules.transforms.pool import Pool

INPUT, OUTPUT = "input", "output"


def graph_of(
    network: Network, learned: Learned, frozen: frozenset[str] = frozenset(), dt: float = STEP_SECONDS,
    reset: Unsayable = "refuse",
) -> Any:  # fmt: skip
    """A net as a graph of NIR, with normalisation folded into the weights.

    Its equations, by Euler's method with steps of `dt`, are the net's: tau = dt / (1 - beta), r = 1 / (1 - beta), and
    for a synaptic current tau_syn = dt / (1 - alpha), w_in = 1 / (1 - alpha), which are snnTorch's own. Metadata hold
    dt, the unit of times (seconds), decays to the last bit, and surrogates.

    Args:
        network: its layers.
        learned: its parameters and running averages.
        frozen: names of parameters that stay as they are.
        dt: seconds of a step, > 0; snnTorch reads 0.0001 alone.
        reset: whether resets that NIR does not have are refused, or stored in metadata, which only neurorules reads.

    Returns:
        A `nir.NIRGraph`.

    Raises:
        UserError: a part that NIR does not have; the layer is named.
        MissingExtra: nir is not installed.
    """
    check_range("dt", dt, Positive)
    nir = package()
    lines = any(isinstance(t, OneRow) for layer in network.layers for entry in layer.inputs for t in entry.transforms)
    return _Graph(nir, Cells(nir, dt, reset, lines), network, learned, frozen).graph(dt)


@dataclass
class _Graph:
    """Builds the graph, node by node."""

    nir: Any
    cells: Cells
    network: Network
    learned: Learned
    frozen: frozenset[str]
    nodes: dict[str, Any] = field(default_factory=dict)
    edges: list[tuple[str, str]] = field(default_factory=list)
    ends: dict[int, str] = field(default_factory=dict)

    def graph(self, dt: float) -> Any:
        self.nodes[INPUT] = self.nir.Input({"input": np.array(self._input_shape())})
        self.ends[NETWORK_INPUT] = INPUT
        for index, layer in enumerate(self.network.bound(self.learned.parameters).layers):
            self._add(index, layer)
        last = len(self.network.layers) - 1
        self.nodes[OUTPUT] = self.nir.Output({"output": np.array(self.network.readout.shape)})
        if last in self.ends:
            self.edges.append((self.ends[last], OUTPUT))
        metadata = {DT: dt, UNIT: "s", METHOD: "euler", START: self._start(), "writer": f"neurorules {own_version()}"}
        return self.nir.NIRGraph(self.nodes, self.edges, metadata=metadata, type_check=self._checkable())

    def _checkable(self) -> bool:
        """Whether nir 1.0.8 computes the shapes right: it takes kernels for squares, and leaves groups out."""
        of = [entry.connection for layer in self.network.layers for entry in layer.inputs]
        convolutions = [one for one in of if isinstance(one, Convolution)]
        return all(len(set(one.sides)) == 1 and one.groups == 1 for one in convolutions)

    def _start(self) -> str:
        """The value at which membranes begin, of neurons that leak to a value other than 0."""
        resting = [layer.neuron for layer in self.network.layers if isinstance(layer.neuron, RestingIntegrator)]
        return "zero" if any(np.any(np.asarray(one.v_start != one.v_leak)) for one in resting) else "leak"

    def _add(self, index: int, layer: Layer) -> None:
        folded = fold(layer, self.learned)
        names = [layer.name, f"{layer.name}_threshold"]
        for name, node in zip(names, self.cells.of_layer(layer), strict=False):
            if name != layer.name:
                self.edges.append((layer.name, name))
            self.nodes[name] = node
            self.ends[index] = name
        arriving = [self._path(layer, entry, folded, first=entry is layer.inputs[0]) for entry in layer.inputs]
        if layer.name in self.nodes:
            self.edges += [(end, layer.name) for end in arriving]
        elif len(arriving) == 1:
            self.ends[index] = arriving[0]
        else:  # a read-out without memory is the sum of what arrives
            self.edges += [(end, OUTPUT) for end in arriving]

    def _input_shape(self) -> tuple[int, ...]:
        """The shape of the Input: lines (C, L), also where samples hold them as pictures (1, C, L)."""
        shape = self.network.input_shape
        read = [entry for layer in self.network.layers for entry in layer.inputs if entry.source == NETWORK_INPUT]
        lines = any(isinstance(entry.transforms[0], OneRow) for entry in read if entry.transforms)
        return shape[-2:] if lines else shape

    def _path(self, layer: Layer, entry: Input, folded: Folded, *, first: bool) -> str:
        """Add the nodes between a source and a population, and name the last one."""
        at, shape = self.ends[entry.source], entry.source_shape
        for number, transform in enumerate(entry.transforms):
            node = self._transform(layer, transform, shape)
            shape = transform.post_shape(shape)
            if node is not None:
                at = self._behind(at, f"{layer.name}_{entry.name}_{type(transform).__name__.lower()}{number}", node)
        nodes = self._connection(layer, entry, folded.weights[entry.name], folded.bias if first else None)
        for suffix, node in nodes:
            at = self._behind(at, f"{layer.name}_{entry.name}{suffix}", node)
        return at

    def _behind(self, before: str, name: str, node: Any) -> str:
        self.nodes[name] = node
        self.edges.append((before, name))
        return name

    def _transform(self, layer: Layer, transform: Transform, shape: tuple[int, ...]) -> Any:
        if isinstance(transform, Flatten):
            return self.nir.Flatten({"input": np.array(self.cells.shape_of(shape))}, 0, -1)
        if isinstance(transform, Pool) and transform.kind == "average" and not transform.lines:
            return self._pool(transform.sides)
        if isinstance(transform, Dropout | OneRow):
            return None  # nothing is dropped where nothing is learned, and NIR's lines have no axis of a row
        raise UserError(f"layer '{layer.name}' reads its source through {_pool_in_words(transform)}")

    def _pool(self, sides: tuple[int, int]) -> Any:
        return self.nir.AvgPool2d(np.array(sides), np.array(sides), np.array([0, 0]))

    def _connection(
        self, layer: Layer, entry: Input, weights: Tensor, bias: Tensor | None
    ) -> Iterator[tuple[str, Any]]:
        connection = entry.connection
        held = [layer.weight_name(entry) in self.frozen, bias is None or layer.bias_name in self.frozen]
        metadata = (
            {FROZEN: " ".join(n for n, one in zip(("weight", "bias"), held, strict=True) if one)} if any(held) else {}
        )
        w = weights.detach().cpu().numpy()
        b = None if bias is None else self._bias(layer, bias)
        if isinstance(connection, Convolution):
            yield "", self._convolution(connection, entry, w, b, metadata)
            if connection.pools != (1, 1):
                if connection.kind != "average" or self._is_line(connection, entry):
                    raise UserError(f"layer '{layer.name}' pools its current by {_pool_in_words(connection)}")
                yield "_pool", self._pool(connection.pools)
        elif isinstance(connection, RecurrentSingle):
            scale = w.reshape(self.cells.shape_of(layer.shape))
            yield "", self.nir.Scale(scale, metadata={FROZEN: "weight" if held[0] else ""})
        elif type(connection) in (Dense, Recurrent):
            if b is None or (held[1] and not b.any()):
                yield "", self.nir.Linear(w, metadata=metadata)
            else:
                yield "", self.nir.Affine(w, b, metadata=metadata)
        else:
            raise UserError(
                f"layer '{layer.name}' has a connection '{type(connection).__name__}', which NIR cannot say. Use "
                f"dense, recurrent or convolutional ones"
            )

    def _is_line(self, connection: Convolution, entry: Input) -> bool:
        """Whether a convolution moves along lines."""
        flat = connection.sides[0] == connection.strides[0] == 1 and connection.borders[0] == 0
        return flat and self.cells.lines and entry.pre_shape[1] == 1

    def _convolution(
        self, connection: Convolution, entry: Input, w: np.ndarray, b: np.ndarray | None, metadata: dict[str, Any]
    ) -> Any:
        bias = np.zeros(len(w), w.dtype) if b is None else b
        of, groups = connection, connection.groups
        if self._is_line(connection, entry):
            numbers = (entry.pre_shape[2], w[:, :, 0], of.strides[1], of.borders[1], of.dilations[1], groups)
            return self.nir.Conv1d(*numbers, bias, metadata=metadata)
        sides = tuple(entry.pre_shape[1:])
        return self.nir.Conv2d(sides, w, of.strides, of.borders, of.dilations, groups, bias, metadata=metadata)

    def _bias(self, layer: Layer, bias: Tensor) -> np.ndarray:
        """The bias of each neuron of a flat population, or of each map."""
        values = bias.detach().cpu().numpy()
        if values.ndim == 1:
            return values
        if not np.all(values == values[:, :1, :1]):
            raise UserError(
                f"layer '{layer.name}' has another bias at its border, because its normalisation centres what a "
                f"border of zeros meets, and a Conv2d of NIR has one for each map. Train with --norm batch or none, "
                f"or without border (c16k3v)"
            )
        return values[:, 0, 0]


def _pool_in_words(part: Transform | Convolution) -> str:
    """The end of a message: the kind of pool that NIR does not have, and a replacement."""
    if isinstance(part, Pool | Convolution) and part.kind == "average":
        return "an average along lines, and NIR pools maps alone. Use a stride of the Conv1d, or maps"
    what = "the maximum" if isinstance(part, Convolution) else "a pool by the maximum"
    what = what if isinstance(part, Pool | Convolution) else f"a {type(part).__name__}"
    return f"{what}, which NIR does not have. Use an average (a2), or stride"
