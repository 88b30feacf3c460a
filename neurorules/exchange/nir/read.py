"""A net from a graph of NIR."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import prod
from typing import Any

import numpy as np
import torch
from torch import Tensor

from neurorules.contracts.connection import Shape
from neurorules.contracts.neuron import Neuron
from neurorules.exchange.imported import Imported
from neurorules.exchange.nir.delays import delay_line
from neurorules.exchange.nir.file import metadata_of, read_graph
from neurorules.exchange.nir.kinds import DELAY, kind_of
from neurorules.exchange.nir.maps import Map
from neurorules.exchange.nir.neurons import population_of
from neurorules.exchange.nir.options import Clock, NirOptions, clock_of, parsed, steps_of
from neurorules.exchange.nir.segments import cut_of
from neurorules.exchange.nir.wiring import INPUT, Cell, Wiring, wiring_of
from neurorules.exchange.nir.wiring import Path as Way
from neurorules.language.errors import UserError
from neurorules.network.layer import NETWORK_INPUT, Input, Layer, input_name
from neurorules.network.network import Network
from neurorules.neurons.leaky_readout import LeakyReadout
from neurorules.transforms.flatten import Flatten


def net_of_text(text: str, input_shape: Shape | None = None) -> Imported:
    """The net that a file of NIR holds.

    Args:
        text: name of the file, with options such as "net.nir:dt=0.001:unit=ms" (`options.NirOptions`).
        input_shape: shape of one sample at one step, where it may differ from the graph's, as that of pictures does for
            a flat input; None for the graph's.

    Returns:
        The net, with the graph's weights.

    Raises:
        UserError: the file, an option, or a node that has no counterpart here; it is named.
        MissingExtra: nir is not installed.
    """
    path, options = parsed(text)
    return net_of_graph(read_graph(path), options, input_shape, str(path))


def net_of_graph(
    graph: Any, options: NirOptions | None = None, input_shape: Shape | None = None, where: str = "the NIR graph"
) -> Imported:
    """The net that a graph of NIR describes.

    Args:
        graph: a `nir.NIRGraph`.
        options: how its equations become steps; None for what its metadata say.
        input_shape: shape of one sample at one step, as for `net_of_text`.
        where: names it in messages.

    Returns:
        The net, with the graph's weights.

    Raises:
        UserError: a node that has no counterpart here; it is named.
    """
    options = options or NirOptions()
    clock = clock_of(metadata_of(graph), options, where)
    return _Assembly(wiring_of(graph, where), clock, options, where).net(input_shape)


@dataclass
class _Assembly:
    """Builds the network, layer by layer."""

    wiring: Wiring
    clock: Clock
    options: NirOptions
    where: str
    flattens: bool = False
    layers: list[Layer] = field(default_factory=list)
    parameters: dict[str, Tensor] = field(default_factory=dict)
    frozen: set[str] = field(default_factory=set)
    places: dict[str, int] = field(default_factory=lambda: {INPUT: NETWORK_INPUT})
    """The layer that sends what a node of the graph gives, by the node's name."""

    def net(self, input_shape: Shape | None) -> Imported:
        of_graph = self.wiring.input_shape
        shape = of_graph if input_shape is None else input_shape
        flat = len(of_graph) == 1 and prod(shape) == of_graph[0]
        if shape != of_graph and not flat and not (len(of_graph) == 2 and shape == (1, *of_graph)):
            raise UserError(f"{self.where} reads shape {of_graph}, and samples have shape {shape}. Make them the same")
        self.shape = shape
        *below, last = self.wiring.cells
        for cell in below:
            self._add(cell, last=False)
        self._add(last, last=not self.flattens)
        if self.flattens:
            self._add(Cell("", None, None, (Way(last.name, (("flatten", Flatten()),)),)), last=True)
        elif len(self.layers[-1].shape) != 1:  # maps are read out behind a Flatten
            return _Assembly(self.wiring, self.clock, self.options, self.where, flattens=True).net(input_shape)
        return Imported(
            Network(tuple(self.layers), shape, self.layers[-1].shape[0]), self.parameters, {}, frozenset(self.frozen)
        )

    def _add(self, cell: Cell, *, last: bool) -> None:
        at = f"{self.where}: node '{cell.name}'"
        if all(way.source == cell.name for way in cell.paths):
            raise UserError(f"{at} is driven by itself alone. Join it to the input, or leave it out")
        if kind_of(cell.node) == DELAY:
            self._add_delay(cell, at)
            return
        ways = sorted(cell.paths, key=lambda way: way.source == cell.name)  # recurrence last
        maps = self._maps(cell, ways, at)
        shape = maps[0].shape
        neuron, gain = population_of(cell, shape, self.clock, self.options, self.where, last=last)
        layer = self._layer(cell, ways, maps, neuron, last)
        self._numbers(layer, maps, self._by_row(gain, shape, at))

    def _maps(self, cell: Cell, ways: list[Way], at: str) -> list[Map]:
        """The connection that each way to a population becomes."""
        maps: list[Map] = []
        brought: set[tuple[str, ...]] = set()  # the ways from a node on, whose biases were counted
        for way in ways:
            loop = way.source == cell.name
            cut = cut_of(way.nodes, self.where) if loop else None
            if cut is not None:
                raise UserError(
                    f"{at} feeds itself through '{cut}' and nodes behind it, which no single connection does. Make one "
                    f"map of them"
                )
            source = maps[0].shape if loop else self._source(way)
            one = Map(self.where, source, self.clock, loop)
            if way.source == INPUT and len(self.wiring.input_shape) == 1 and len(source) != 1:
                one.transforms.append(Flatten())
                one.shape = (prod(source),)
            for position, (name, node) in enumerate(way.nodes):
                rest = tuple(behind for behind, _ in way.nodes[position:])
                one.follow(name, node, rest not in brought)
                brought.add(rest)
            one.end(at)
            if maps and one.shape != maps[0].shape:
                raise UserError(f"{at} adds shapes {maps[0].shape} and {one.shape}. Make them the same")
            maps.append(one)
        return maps

    def _layer(self, cell: Cell, ways: list[Way], maps: list[Map], neuron: Neuron[Any], last: bool) -> Layer:
        """Add a layer with its connections."""
        inputs: list[Input] = []
        for way, one in zip(ways, maps, strict=True):
            inputs.append(self._input(way, one, inputs, cell))
        name = "readout" if last else f"hidden{len(self.layers) + 1}"
        layer = Layer(name, tuple(inputs), maps[0].shape, neuron, None, "readout" if last else "hidden")
        self.places[cell.name] = len(self.layers)
        self.layers.append(layer)
        return layer

    def _add_delay(self, cell: Cell, at: str) -> None:
        """Add the populations of a Delay: what gathers several ways, the line, and what is read of it."""
        node, source = cell.node, self._alone(cell)
        if source is None:
            self._add(Cell(f"{cell.name} ", None, None, cell.paths), last=False)
            source = len(self.layers) - 1
        shape = self.shape if source == NETWORK_INPUT else self.layers[source].shape
        line = delay_line(steps_of(node, self.clock, f"{at} (Delay)"), shape, f"{at} (Delay)")
        index = len(self.layers)
        name = input_name("input" if source < 0 else self.layers[source].name, source == index - 1, [])
        into = Input(name, source, (), line.entry.connection, shape, shape)
        onward = Input("rec", index, (), line.onward.connection, line.shape, line.shape)
        out = Input("ff", index, (), line.exit.connection, line.shape, line.shape)
        for inputs, of, weights in (
            ((into, onward), line.shape, (line.entry.weights, line.onward.weights)),
            ((out,), shape, (line.exit.weights,)),
        ):
            layer = Layer(f"hidden{len(self.layers) + 1}", inputs, of, LeakyReadout(0.0), None, "hidden")
            self.layers.append(layer)
            for entry, own in zip(inputs, weights, strict=True):
                self.parameters[layer.weight_name(entry)] = torch.tensor(own)
                self.frozen.add(layer.weight_name(entry))
            self.parameters[layer.bias_name] = torch.zeros(layer.bias_shape, dtype=torch.float64)
            self.frozen.add(layer.bias_name)
        self.places[cell.name] = len(self.layers) - 1

    def _alone(self, cell: Cell) -> int | None:
        """The layer whose spikes are all that reaches a Delay; None where weights or several ways lead to it."""
        source = self.places[cell.paths[0].source]
        shape = self._source(cell.paths[0])
        plain = len(cell.paths) == 1 and not cell.paths[0].nodes and len(shape) in (1, 3)
        flattened = source == NETWORK_INPUT and shape != self.wiring.input_shape
        return source if plain and not flattened else None

    def _source(self, way: Way) -> Shape:
        return self.shape if way.source == INPUT else self.layers[self.places[way.source]].shape

    def _input(self, way: Way, one: Map, others: list[Input], cell: Cell) -> Input:
        index = len(self.layers)
        if way.source == cell.name:
            return Input("rec" if not any(i.name == "rec" for i in others) else f"rec_{len(others)}", index,
                         tuple(one.transforms), one.closed_connection, one.shape, one.pre_shape)  # fmt: skip
        source = self.places[way.source]
        name = input_name("input" if source < 0 else self.layers[source].name, source == index - 1, others)
        return Input(name, source, tuple(one.transforms), one.closed_connection, self._source(way), one.pre_shape)

    def _by_row(self, gain: np.ndarray, shape: Shape, at: str) -> np.ndarray:
        """The gain by neuron of a flat population, or by map."""
        if gain.ndim == 3:
            first = gain[:, 0, 0]
            if not np.all(gain == first[:, None, None]):
                raise UserError(
                    f"{at} multiplies the current of a map's neurons by different numbers (r / tau), and they share "
                    f"weights. Give one to each map"
                )
            return first
        return gain.reshape(-1)

    def _numbers(self, layer: Layer, maps: list[Map], gain: np.ndarray) -> None:
        rows = layer.shape[0]
        bias: np.ndarray | None = None
        for entry, one in zip(layer.inputs, maps, strict=True):
            one.multiply_rows(gain)
            self.parameters[layer.weight_name(entry)] = torch.tensor(one.weights)
            if "weight" in one.fixed:
                self.frozen.add(layer.weight_name(entry))
            if one.bias is not None:
                bias = one.bias if bias is None else bias + one.bias
        if not any(one.bias is not None and "bias" not in one.fixed for one in maps):
            self.frozen.add(layer.bias_name)
        if bias is None:
            bias = np.zeros(rows, maps[0].weights.dtype)
        self.parameters[layer.bias_name] = torch.tensor(bias).reshape(layer.bias_shape)
