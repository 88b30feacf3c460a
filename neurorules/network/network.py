"""A network: layers in the order in which they run. Parameters are stored separately and passed in."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal

import torch
from torch import Tensor

from neurorules.connections import CONNECTIONS
from neurorules.contracts.connection import Connection, Shape
from neurorules.contracts.neuron import Neuron
from neurorules.contracts.normalisation import Normalisation
from neurorules.contracts.target import FEWEST_OUTPUTS
from neurorules.contracts.transform import Transform
from neurorules.language.architecture import AfterSpec, LayerSpec, parse_net
from neurorules.language.errors import UserError, unknown
from neurorules.language.options import convert_options, parse_named
from neurorules.language.ranges import Classes, Count, check_range, check_shape, hints_of
from neurorules.language.rules import Defaults
from neurorules.language.settings import Drawn, Task
from neurorules.network.layer import INPUT, NETWORK_INPUT, Input, Layer, draw_masks
from neurorules.neurons import NEURONS
from neurorules.normalisations import NORMALISATIONS
from neurorules.transforms.dropout import Dropout
from neurorules.transforms.flatten import Flatten
from neurorules.transforms.pool import Pool

Parameters = dict[str, Tensor]
"""All learned parameters of a network, by name: "hidden1.ff.w" (O, I), "hidden1.b" (N,), ..."""


@dataclass(frozen=True)
class Network:
    """The structure of a network; methods that compute receive the parameters as an argument.

    Args:
        layers: hidden layers in order, then the read-out.
        input_shape: shape of one sample at one step, (C, H, W) or (N,).
        classes: number of classes.
    """

    layers: tuple[Layer, ...]
    input_shape: Shape
    classes: int

    @cached_property
    def hidden(self) -> tuple[Layer, ...]:
        """The layers below the read-out."""
        return self.layers[:-1]

    @property
    def readout(self) -> Layer:
        """The layer whose membrane gives the class scores."""
        return self.layers[-1]

    @cached_property
    def drops(self) -> bool:
        """Whether a training trial draws dropout masks."""
        return bool(draw_masks(self.layers, 1, torch.Generator()))

    def name_of(self, source: int) -> str:
        """The name of a source of input: another layer, or the network's input."""
        return INPUT if source == NETWORK_INPUT else self.layers[source].name

    def weights(self) -> Iterator[tuple[Layer, Input, str]]:
        """Every connection, with its layer and the name of its weights."""
        for layer in self.layers:
            for entry in layer.inputs:
                yield layer, entry, layer.weight_name(entry)

    def parameter_names(self) -> list[str]:
        """Names of all weights, biases and parameters of neurons."""
        own = [f"{layer.name}.{name}" for layer in self.layers for name in layer.neuron.learns]
        return [name for _, _, name in self.weights()] + [layer.bias_name for layer in self.layers] + own

    def initial_parameters(
        self, generator: torch.Generator, dtype: torch.dtype = torch.float32, init: Drawn = "torch"
    ) -> Parameters:
        """Draw initial weights, uniform with standard deviation INITIAL_SCALE[init] / sqrt(fan-in); biases are 0.

        Args:
            generator: the only source of random numbers.
            dtype: precision of the result.
            init: "torch" or "he".

        Returns:
            Weights, biases and parameters of neurons by name, on the CPU.
        """
        parameters: Parameters = {}
        for _, entry, name in self.weights():
            parameters[name] = entry.connection.initial(entry.pre_shape, generator, INITIAL_SCALE[init]).to(dtype)
        for layer in self.layers:
            parameters[layer.bias_name] = torch.zeros(layer.bias_shape, dtype=dtype)
            for name, value in layer.neuron.parameters(layer.shape).items():
                parameters[f"{layer.name}.{name}"] = value.to(dtype)
        return parameters

    @cached_property
    def neurons_learn(self) -> bool:
        """Whether neurons have parameters of their own that learn."""
        return any(layer.neuron.learns for layer in self.layers)

    def bound(self, parameters: Parameters) -> Network:
        """Return the network with the neurons' learned parameters inserted into the neurons."""
        if not self.neurons_learn:
            return self
        return replace(self, layers=tuple(_bound(layer, parameters) for layer in self.layers))

    def on(self, device: torch.device, dtype: torch.dtype) -> Network:
        """Return the network with the numbers of its neurons and normalisations on a device.

        Args:
            device: the target device.
            dtype: the precision of the numbers.

        Returns:
            The network on the device.
        """
        return replace(self, layers=tuple(layer.on(device, dtype) for layer in self.layers))


def _bound(layer: Layer, parameters: Parameters) -> Layer:
    own = {name: parameters[f"{layer.name}.{name}"] for name in layer.neuron.learns}
    return replace(layer, neuron=layer.neuron.with_parameters(own)) if own else layer


INITIAL_SCALE: Mapping[Drawn, float] = {"torch": 3**-0.5, "he": 2**0.5, "bounds": 3**-0.5}
"""Uniform in +-1/sqrt(fan-in), the default of torch.nn.Linear and so of snnTorch networks; and He et al. 2015. Weights
of hidden layers within bounds are drawn again when the rule is known (`network.initial`)."""


def build_network(
    net: str,
    input_shape: Shape,
    classes: int,
    *,
    neuron: str = Defaults.neuron,
    norm: str = Defaults.norm,
    readout: Literal["last", "all"] = "last",
    readout_neuron: str = Defaults.readout_neuron,
    connection: str = Defaults.connection,
    task: Task = "classes",
) -> Network:
    """Build a feed-forward network, possibly with recurrent layers, from its description.

    Args:
        net: hidden layers, such as "800-800" or "c16k3-p2-128" (see `language.architecture`).
        input_shape: (C, H, W) or (N,).
        classes: number of classes C, >= 2; for other tasks, the number of labels or outputs, >= 1.
        neuron: the neuron of the hidden layers, with options.
        norm: normalisation of every hidden layer's current, or "none"; layers that `net` marks with `n` always have one
            (streaming if `norm` is "none").
        readout: whether the read-out reads the last hidden layer or all of them.
        readout_neuron: the neuron of the read-out, with options.
        connection: the connection between flat populations, with options.
        task: the kind of targets.

    Returns:
        The network.

    Raises:
        UserError: a text cannot be parsed, or the net does not fit the data.
    """
    check_range(*(("classes", classes, Classes) if FEWEST_OUTPUTS[task] > 1 else ("outputs", classes, Count)))
    input_shape = check_shape("input_shape", input_shape)
    spec = parse_net(net)
    unit: Neuron = NEURONS.make(neuron)
    layers: list[Layer] = []
    source, shape = NETWORK_INPUT, input_shape
    for number, layer_spec in enumerate(spec.layers, start=1):
        entry = _feed_forward(layer_spec, source, shape, connection)
        shape = entry.connection.post_shape(entry.pre_shape)
        inputs = [entry]
        if layer_spec.recurrent:
            inputs.append(Input("rec", number - 1, (), _loop(layer_spec), shape, shape))
        normalisation = _normalisation(norm, layer_spec.normalised)
        layers.append(
            Layer(f"hidden{number}", tuple(inputs), shape, unit.in_population(shape), normalisation, "hidden")
        )
        source = number - 1
    sources = range(len(layers)) if readout == "all" else range(len(layers) - 1, len(layers))
    entries = []
    for index in sources:
        transforms = _transforms(spec.last if index == len(layers) - 1 else (), layers[index].shape, flat=True)
        pre_shape = _after(transforms, layers[index].shape)
        dense = _flat_connection(connection, classes)
        name = "ff" if readout == "last" else layers[index].name
        entries.append(Input(name, index, transforms, dense, layers[index].shape, pre_shape))
    reader: Neuron = NEURONS.make(readout_neuron)
    layers.append(Layer("readout", tuple(entries), (classes,), reader.in_population((classes,)), None, "readout"))
    return Network(tuple(layers), input_shape, classes)


def _loop(spec: LayerSpec) -> Connection:
    """The connection by which a layer reads itself."""
    if spec.delay > 1:
        late: Connection = CONNECTIONS.factory("recurrent_delayed")(size=spec.size, delay=spec.delay)
        return late
    plain: Connection = CONNECTIONS.factory("recurrent")(size=spec.size)
    return plain


def settled_network(
    net: str, input_shape: Shape | None, classes: int | None, own: Defaults, readout: str,
    settings: dict[str, str | None], task: Task = "classes",
) -> Network:  # fmt: skip
    """Build a network; parts that the settings leave open are those of the rule.

    Args:
        net: the description of the hidden layers.
        input_shape: (C, H, W) or (N,).
        classes: number of classes C, >= 2; for other tasks, the number of labels or outputs, >= 1.
        own: the rule's neurons, normalisation and connection.
        readout: "last" or "all", the hidden layers that the read-out reads.
        settings: the user's settings by keyword of `build_network`; None for the rule's own.
        task: the kind of targets.

    Returns:
        The network.

    Raises:
        UserError: the input shape or the number of classes is missing, or `build_network` raises an error.
    """
    if input_shape is None or classes is None:
        name = "classes" if FEWEST_OUTPUTS[task] > 1 else "outputs"
        raise UserError(f"a net given as text needs input_shape and {name}, for example (1, 28, 28) and 10")
    parts = {name: text or getattr(own, name) for name, text in settings.items()}
    return build_network(net, input_shape, classes, readout=readout, task=task, **parts)  # type: ignore[arg-type]


def _normalisation(norm: str, marked: bool) -> Normalisation | None:
    if norm == "none":
        return NORMALISATIONS.make("streaming") if marked else None
    if norm.isidentifier() and norm not in (legal := NORMALISATIONS.names()):
        raise unknown("normalisation", norm, [*legal, "none"])
    return NORMALISATIONS.make(norm)


def _flat_connection(text: str, size: int) -> Connection:
    name, options = parse_named(text)
    factory = CONNECTIONS.factory(name)
    if not _joins_flat(factory):
        others = ", ".join(other for other in CONNECTIONS.names() if _joins_flat(CONNECTIONS.factory(other)))
        raise UserError(
            f"--connection joins flat populations, and '{name}' joins maps or a population with itself. Use {others}; "
            f"maps and recurrent layers are named in the net, such as --net c16k3-p2-128 or --net r100"
        )
    if "size" in options:
        raise UserError(f"connection '{name}' has the size of its layer, which --net names. Leave size out")
    return factory(size=size, **convert_options(f"connection '{name}'", factory, options))


def _joins_flat(factory: Callable[..., Connection]) -> bool:
    """Whether a connection leads from one flat population to another of any size."""
    return "size" in hints_of(factory) and not getattr(factory, "recurrent", False)


def _feed_forward(spec: LayerSpec, source: int, shape: Shape, flat: str) -> Input:
    transforms = _transforms(spec.before, shape, flat=spec.kernel is None)
    connection: Connection
    if spec.kernel is None:
        connection = _flat_connection(flat, spec.size)
    else:
        connection = CONNECTIONS.factory("conv2d")(spec.size, spec.kernel, spec.stride, spec.padding)
    return Input("ff", source, transforms, connection, shape, _after(transforms, shape))


def _transforms(specs: tuple[AfterSpec, ...], shape: Shape, flat: bool) -> tuple[Transform, ...]:
    transforms: list[Transform] = []
    for spec in specs:
        if spec.kind == "dropout":
            transforms.append(Dropout(spec.amount))
        else:
            transforms.append(Pool(int(spec.amount), spec.kind))
    if flat and len(_after(tuple(transforms), shape)) > 1:
        transforms.append(Flatten())
    return tuple(transforms)


def _after(transforms: tuple[Transform, ...], shape: Shape) -> Shape:
    for transform in transforms:
        shape = transform.post_shape(shape)
    return shape


def count_parameters(parameters: Parameters) -> int:
    """The total number of learned numbers in all parameters."""
    return sum(math.prod(value.shape) for value in parameters.values())
