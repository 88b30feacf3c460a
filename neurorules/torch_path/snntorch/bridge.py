"""Networks from torch.nn.Sequential with snnTorch layers, and back with trained weights.

Read-out: class scores are the time average of the last membrane. A Sequential may end in a Linear (scores are its mean
output), a Leaky with reset "none" (a leaky read-out), or a Leaky that resets, with snnTorch's delayed reset: then its
returned membrane is averaged, resets included; its spikes are not read.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import snntorch
import torch
from torch import Tensor, nn

from neurorules.connections.conv2d import Conv2d
from neurorules.connections.dense import Dense
from neurorules.contracts.connection import Connection, Shape
from neurorules.contracts.neuron import Neuron
from neurorules.contracts.transform import Transform
from neurorules.language.errors import UserError
from neurorules.network.layer import NETWORK_INPUT, Input, Layer
from neurorules.network.model import Learned
from neurorules.network.network import Network
from neurorules.neurons._adaptive import AdaptiveIntegrator
from neurorules.neurons._leaky import LeakyIntegrator
from neurorules.neurons._refractory import Refractory
from neurorules.neurons._synaptic import SynapticIntegrator
from neurorules.neurons.leaky_readout import LeakyReadout
from neurorules.neurons.rate import Rate
from neurorules.torch_path.snntorch.folding import fold
from neurorules.torch_path.snntorch.module_checks import check_plain, check_unshared, unwrapped
from neurorules.torch_path.snntorch.modules import (
    numbers_of,
    parameters_of,
    to_connection,
    to_linear,
    to_module,
    to_transform,
)
from neurorules.torch_path.snntorch.populations import to_leaky, to_neuron, to_reader, to_synaptic
from neurorules.transforms.flatten import Flatten

Populations = (snntorch.Leaky, snntorch.Synaptic, nn.ReLU, nn.Tanh)


class Block(NamedTuple):
    """The modules that make one layer.

    Args:
        before: transforms, with the words that name each in messages.
        linear, linear_at: the linear map.
        population, population_at: what stands behind it; None for a plain Linear at the end.
    """

    before: list[tuple[str, nn.Module]]
    linear: nn.Module
    linear_at: str
    population: nn.Module | None
    population_at: str


def from_module(
    net: object, input_shape: Shape | None, steps: int
) -> tuple[Network, dict[str, Tensor], frozenset[str]]:
    """The network that a Sequential describes, also one that is compiled or wrapped; see `from_sequential`.

    Args:
        net: what a user hands over as a net.
        input_shape: of one sample at one step.
        steps: that the network is to run.

    Returns:
        Network, its parameters by name, and the names of those with requires_grad=False.

    Raises:
        UserError: it is no Sequential, or one that cannot be represented or run.
    """
    module = unwrapped(net) if isinstance(net, nn.Module) else net
    if not isinstance(module, nn.Sequential):
        raise UserError(
            f"a net is a text such as '800-800', a Network, or a torch.nn.Sequential of torch and snnTorch layers, and "
            f"this is a {type(module).__name__}. Put its layers into a torch.nn.Sequential, in the order they run"
        )
    network, given = from_sequential(module, input_shape)
    rate = next((where for where, one in _modules(module) if isinstance(one, nn.ReLU | nn.Tanh)), None)
    if rate is not None and steps != 1:
        raise UserError(
            f"{rate} sends rates, which run 1 step, and this learner runs {steps}. Use steps=1, or a snntorch.Leaky in "
            f"its place"
        )
    linears = [one for _, one in _modules(module) if isinstance(one, nn.Linear | nn.Conv2d)]
    frozen: set[str] = set()
    for layer, linear in zip(network.layers, linears, strict=True):
        named = {layer.weight_name(layer.inputs[0]): linear.weight, layer.bias_name: linear.bias}
        frozen |= {name for name, value in named.items() if value is not None and not value.requires_grad}
    return network, given, frozenset(frozen)


def from_sequential(net: nn.Sequential, input_shape: Shape | None) -> tuple[Network, dict[str, Tensor]]:
    """The network that a Sequential describes, without normalisation, and its parameters.

    Args:
        net: Linear, Conv2d, MaxPool2d, AvgPool2d, Flatten, Dropout and snntorch.Leaky or Synaptic (or ReLU, Tanh for
            one step); the last Linear, with the Leaky behind it if any, is the read-out.
        input_shape: of one sample at one step; may be None where a Linear comes first.

    Returns:
        Network, and parameters by name such as "hidden1.ff.w", "hidden1.b", "readout.ff.w".

    Raises:
        UserError: a module that cannot be represented: its place, what is wrong, what can be done.
    """
    blocks = _blocks(net)
    if len(blocks) < 2:
        raise UserError("the Sequential has no hidden layer. Give it a Linear or Conv2d with a Leaky, then a Linear")
    if input_shape is None:
        if blocks[0].before or not isinstance(blocks[0].linear, nn.Linear):
            raise UserError("a Sequential that does not begin with a Linear needs input_shape, for example (1, 28, 28)")
        input_shape = (blocks[0].linear.in_features,)
    layers: list[Layer] = []
    given: dict[str, Tensor] = {}
    shape: Shape = input_shape
    for index, block in enumerate(blocks):
        last = index == len(blocks) - 1
        entry = _entry(block, index - 1 if index else NETWORK_INPUT, shape)
        shape = _shape_after(entry.connection, block.linear_at, entry.pre_shape)
        make = to_reader if last else to_neuron
        neuron: Neuron = make(block.population, block.population_at, shape)  # type: ignore[arg-type]
        name = "readout" if last else f"hidden{index + 1}"
        layer = Layer(name, (entry,), shape, neuron, None, "readout" if last else "hidden")
        layers.append(layer)
        given[layer.weight_name(entry)], bias = numbers_of(block.linear)
        given[layer.bias_name] = bias.reshape(layer.bias_shape)
    if len(shape) != 1:
        raise UserError(f"{blocks[-1].linear_at} is the read-out, which must be a Linear. End with Flatten and Linear")
    return Network(tuple(layers), input_shape, shape[0]), given


def to_sequential(network: Network, learned: Learned, frozen: frozenset[str] = frozenset()) -> nn.Sequential:
    """The network as torch and snnTorch layers, in evaluation mode, with normalisation folded into the weights.

    Every Leaky keeps its own state: call `snntorch.utils.reset(net)`, then the net once for each step. It returns the
    read-out's current (memoryless read-out), else what its Leaky or Synaptic returns, the membrane last; class scores
    are the time average.

    Args:
        network: its layers.
        learned: its parameters and running averages.
        frozen: names of parameters that get requires_grad=False.

    Returns:
        The Sequential.

    Raises:
        UserError: recurrent layers, a read-out of all layers, or a neuron that snnTorch has no layer for.
    """
    modules: list[nn.Module] = []
    for index, layer in enumerate(network.layers):
        if len(layer.inputs) > 1 or layer.inputs[0].source != (index - 1 if index else NETWORK_INPUT):
            kind = "recurrent" if any(e.connection.recurrent for e in layer.inputs) else "read out from several layers"
            raise UserError(f"layer '{layer.name}' is {kind}, and a torch.nn.Sequential is not. Use a plain net")
        entry = layer.inputs[0]
        modules += [to_module(transform) for transform in entry.transforms]
        weights, bias = fold(layer, learned)
        w = weights[entry.name]
        linear = to_linear(entry.connection, w, bias)
        for name, value in linear[0].named_parameters():
            value.requires_grad_((layer.weight_name(entry) if name == "weight" else layer.bias_name) not in frozen)
        modules += linear
        modules += _population(layer, w.dtype)
    return nn.Sequential(*modules).to(bias.device).eval()


def write_back(network: Network, learned: Learned, module: nn.Module) -> None:
    """Copy trained weights and biases into a module of the same layers.

    Args:
        network: that learned.
        learned: its parameters; normalisation is folded into the weights.
        module: a Sequential, also one that is compiled or wrapped; it keeps its parameters, which get new values.

    Raises:
        UserError: it is no Sequential, or its layers are others; nothing of it has changed.
    """
    plain = unwrapped(module)
    if not isinstance(plain, nn.Sequential):
        raise UserError(f"weights are written back into a torch.nn.Sequential, and this is a {type(plain).__name__}")
    blocks = _blocks(plain)
    if len(blocks) != len(network.layers):
        raise UserError(
            f"the module has {len(blocks)} layers with weights, and the network that learned has "
            f"{len(network.layers)}. Give the module that the learner was made from"
        )
    values: list[tuple[nn.Parameter, Tensor]] = []
    for block, layer in zip(blocks, network.layers, strict=True):
        weights, bias = fold(layer, learned)
        own = parameters_of(block.linear)
        for parameter, value in zip(own, (weights[layer.inputs[0].name], bias), strict=True):
            if len(layer.inputs) > 1 or parameter.numel() != value.numel():
                raise UserError(
                    f"{block.linear_at} has weights of shape {tuple(parameter.shape)}, and layer '{layer.name}' that "
                    f"learned has {tuple(value.shape)}. Give the module that the learner was made from"
                )
            values.append((parameter, value.reshape(parameter.shape)))
    with torch.no_grad():
        for parameter, value in values:
            parameter.copy_(value)


def _modules(net: nn.Sequential, prefix: str = "") -> Iterator[tuple[str, nn.Module]]:
    check_plain(net, f"layer {prefix.rstrip('.')} (Sequential)" if prefix else "the Sequential")
    for index, wrapped in enumerate(net):
        module = unwrapped(wrapped)
        if isinstance(module, nn.Sequential):
            yield from _modules(module, f"{prefix}{index}.")
        else:
            where = f"layer {prefix}{index} ({type(module).__name__})"
            check_plain(module, where)
            if not isinstance(module, nn.Identity):
                yield where, module


def _blocks(net: nn.Sequential) -> list[Block]:
    blocks: list[Block] = []
    before: list[tuple[str, nn.Module]] = []
    open_linear: tuple[str, nn.Module] | None = None
    identities: set[int] = set()
    for where, module in _modules(net):
        check_unshared(module, where, identities)
        if isinstance(module, nn.Linear | nn.Conv2d):
            if open_linear is not None:
                raise UserError(f"{where} follows {open_linear[0]} with no Leaky between. Put one there")
            open_linear = (where, module)
        elif isinstance(module, Populations):
            if open_linear is None:
                raise UserError(f"{where} has no Linear or Conv2d before it. Put one there")
            blocks.append(Block(before, open_linear[1], open_linear[0], module, where))
            before, open_linear = [], None
        else:
            to_transform(where, module)
            if open_linear is not None:
                raise UserError(f"{where} acts on the current of {open_linear[0]}. Put it behind a Leaky")
            before.append((where, module))
    if open_linear is not None:
        blocks.append(Block(before, open_linear[1], open_linear[0], None, open_linear[0]))
    elif before:
        raise UserError(f"{before[0][0]} stands behind the read-out. Remove it, or end with a Linear")
    return blocks


def _entry(block: Block, source: int, shape: Shape) -> Input:
    transforms: list[Transform] = []
    pre = shape
    for where, module in block.before:
        transform = to_transform(where, module)
        if transform is not None and not (isinstance(transform, Flatten) and len(pre) == 1):
            transforms.append(transform)
            pre = _shape_after(transform, where, pre)
    connection, reads = to_connection(block.linear, block.linear_at)
    expected = (reads,) if isinstance(connection, Dense) else (reads, *pre[1:])
    if pre != expected or (isinstance(connection, Conv2d) and len(pre) != 3):
        wanted = f"{reads} inputs" if isinstance(connection, Dense) else f"maps ({reads}, height, width)"
        raise UserError(f"{block.linear_at} reads {wanted}, and gets shape {pre}. Change it, or add Flatten before it")
    return Input("ff", source, tuple(transforms), connection, shape, pre)


def _shape_after(part: Connection | Transform, where: str, shape: Shape) -> Shape:
    try:
        return part.post_shape(shape)
    except UserError as error:
        raise UserError(f"{where}: {error}") from None


def _population(layer: Layer, dtype: torch.dtype) -> list[nn.Module]:
    neuron, last = layer.neuron, layer.role == "readout"
    if isinstance(neuron, LeakyReadout) and last and neuron.beta == 0:
        return []
    if isinstance(neuron, Rate):
        return [nn.ReLU() if neuron.activation == "relu" else nn.Tanh()]
    if isinstance(neuron, LeakyIntegrator | LeakyReadout):
        return [to_leaky(neuron, dtype, last)]
    if isinstance(neuron, SynapticIntegrator):
        return [to_synaptic(neuron, dtype, last)]
    if isinstance(neuron, Refractory | AdaptiveIntegrator):
        what = "a refractory period" if isinstance(neuron, Refractory) else "an adaptive threshold"
        raise UserError(
            f"the neuron of layer '{layer.name}' has {what}, which no layer of snnTorch has. "
            f"Use if, lif or cuba_lif neurons without"
        )
    name = type(neuron).__name__
    raise UserError(f"snnTorch has no layer for the neuron of '{layer.name}', {name}. Use if, lif or cuba_lif neurons")
