"""Networks from torch modules with snnTorch layers: a Sequential, or a class with a forward of its own.

Read-out: class scores are the time average of the last membrane. A module may end in a Linear (scores are its mean
output), a Leaky with reset "none" (a leaky read-out), or a Leaky that resets, with snnTorch's delayed reset: then its
returned membrane is averaged, resets included; its spikes are not read, unless class scores
are the number of its spikes.
"""

from __future__ import annotations

from torch import Tensor, nn

from neurorules.connections._convolution import Convolution
from neurorules.connections.dense import Dense
from neurorules.connections.recurrent import Recurrent
from neurorules.connections.recurrent_conv2d import RecurrentConv2d
from neurorules.connections.recurrent_single import RecurrentSingle
from neurorules.contracts.connection import Connection, Shape
from neurorules.contracts.neuron import Neuron
from neurorules.contracts.normalisation import CurrentStatistics
from neurorules.exchange.imported import Imported
from neurorules.language.errors import UserError
from neurorules.language.settings import Scores
from neurorules.network.layer import NETWORK_INPUT, Input, Layer, input_name
from neurorules.network.network import Network
from neurorules.torch_path.snntorch.blocks import blocks_of
from neurorules.torch_path.snntorch.module_checks import RECURRENT, unwrapped
from neurorules.torch_path.snntorch.modules import shape_after, to_connection, to_transforms
from neurorules.torch_path.snntorch.neuron_options import learns, number
from neurorules.torch_path.snntorch.norms import to_normalisation
from neurorules.torch_path.snntorch.numbers import read_numbers
from neurorules.torch_path.snntorch.populations import to_neuron, to_reader
from neurorules.torch_path.snntorch.values import Arrival, Block, Placed


def from_module(
    net: object, input_shape: Shape | None, steps: int, scores: Scores = "membrane", classes: int | None = None, *,
    flat: bool = False,
) -> Imported:  # fmt: skip
    """The network that a module describes, also one that is compiled or wrapped.

    Args:
        net: a module whose forward computes one step with Linear, Conv1d, Conv2d, pools, Flatten, Dropout,
            BatchNorm, sums, torch.cat, and snntorch.Leaky, RLeaky, Synaptic, RSynaptic or Lapicque (or ReLU, Tanh for
            one step); the last Linear, with the neurons behind it if any, is the read-out.
        input_shape: of one sample at one step; may be None where a Linear comes first.
        steps: that the network is to run.
        scores: what gives class scores; spikes are counted of neurons that spike.
        classes: number of classes, among which the read-out's neurons are shared out where scores are those of
            populations; None where the module says it.
        flat: whether pictures are flattened before a Linear, which whoever runs the module itself does outside of it.

    Returns:
        The network, and what it begins with.

    Raises:
        UserError: it is no module, or one that cannot be represented or run: the place, what is wrong, what to do.
    """
    module = unwrapped(net) if isinstance(net, nn.Module) else net
    if not isinstance(module, nn.Module):
        raise UserError(
            f"a net is a text such as '800-800', a Network, or a torch.nn.Module of torch and snnTorch layers, and "
            f"this is a {type(module).__name__}. Give one of these"
        )
    blocks = blocks_of(module, input_shape)
    if len(blocks) < 2:
        raise UserError(
            f"the {type(module).__name__} has no hidden layer. Give it a Linear or Conv2d with a Leaky, then a Linear"
        )
    blocks = [_flattened(block) for block in blocks] if flat else blocks
    network = _network(blocks, input_shape, scores, classes)
    _check_steps(blocks, steps)
    parameters: dict[str, Tensor] = {}
    statistics: dict[str, CurrentStatistics] = {}
    frozen: set[str] = set()
    for block, layer in zip(blocks, network.layers, strict=True):
        numbers = read_numbers(block, layer)
        parameters |= numbers.parameters
        frozen |= numbers.frozen
        if numbers.statistics is not None:
            statistics[layer.name] = numbers.statistics
    return Imported(network, parameters, statistics, frozenset(frozen))


def _flattened(block: Block) -> Block:
    """The block, whose Linear layers flatten what they read of the network's input."""
    flatten = Placed("the flattening of pictures", nn.Flatten())
    return block._replace(
        arrivals=tuple(
            arrival._replace(before=(*arrival.before, flatten))
            if arrival.source == NETWORK_INPUT and isinstance(arrival.linear.module, nn.Linear)
            else arrival
            for arrival in block.arrivals
        )
    )


def _check_steps(blocks: list[Block], steps: int) -> None:
    for block in blocks:
        if block.population is not None and isinstance(block.population.module, nn.ReLU | nn.Tanh) and steps != 1:
            raise UserError(
                f"{block.population.at} sends rates, which run 1 step, and this learner runs {steps}. Use steps=1, or "
                f"a snntorch.Leaky in its place"
            )


def _network(blocks: list[Block], input_shape: Shape | None, scores: Scores, classes: int | None) -> Network:
    first = blocks[0].arrivals[0]
    if input_shape is None:
        if first.before or not isinstance(first.linear.module, nn.Linear):
            raise UserError("a net that does not begin with a Linear needs input_shape, for example (1, 28, 28)")
        input_shape = (first.linear.module.in_features,)
    layers: list[Layer] = []
    for index, block in enumerate(blocks):
        last = index == len(blocks) - 1
        layers.append(_layer(block, index, layers, input_shape, scores if last else None))
    shape = layers[-1].shape
    if len(shape) != 1:
        at = blocks[-1].arrivals[0].linear.at
        raise UserError(f"{at} is the read-out, which must be a Linear. End with Flatten and Linear")
    return Network(tuple(layers), input_shape, _shared_out(shape[0], classes) if scores == "population" else shape[0])


def _shared_out(neurons: int, classes: int | None) -> int:
    """The number of classes among which a read-out's neurons are shared out."""
    if classes is None:
        raise UserError("scores=population needs the number of classes. Give classes=10, for 20 neurons of each in 200")
    if neurons % classes:
        raise UserError(
            f"{neurons} read-out neurons cannot be shared out among {classes} classes. Give as many to each class"
        )
    return classes


def _layer(block: Block, index: int, before: list[Layer], input_shape: Shape, scores: Scores | None) -> Layer:
    last = scores is not None  # the read-out alone gives any
    name = "readout" if last else f"hidden{index + 1}"
    inputs: list[Input] = []
    for arrival in block.arrivals:
        source_shape = input_shape if arrival.source == NETWORK_INPUT else before[arrival.source].shape
        source = "input" if arrival.source == NETWORK_INPUT else before[arrival.source].name
        inputs.append(_input(arrival, block, input_name(source, arrival.source == index - 1, inputs), source_shape))
    shape = shape_after(inputs[0].connection, block.arrivals[0].linear.at, inputs[0].pre_shape)
    for arrival, one in zip(block.arrivals[1:], inputs[1:], strict=True):
        own = shape_after(one.connection, arrival.linear.at, one.pre_shape)
        if own != shape:
            raise UserError(
                f"{arrival.linear.at} gives shape {own}, and {block.arrivals[0].linear.at}, to which it is added, "
                f"{shape}. Make them the same"
            )
    module, at = (None, "") if block.population is None else (block.population.module, block.population.at)
    neuron: Neuron = to_neuron(_there(module), at, shape) if scores is None else to_reader(module, at, shape, scores)
    if isinstance(module, RECURRENT):
        inputs.append(Input("rec", index, (), _loop(module, at, shape), shape, shape))
    if last and block.norm is not None:
        raise UserError(f"{block.norm.at} normalises the read-out's current, which nothing here does. Remove it")
    normalisation = None if block.norm is None else to_normalisation(*block.norm, shape)
    return Layer(name, tuple(inputs), shape, neuron, normalisation, "readout" if last else "hidden")


def _there(module: nn.Module | None) -> nn.Module:
    if module is None:
        raise UserError("forward returns the current of a layer that is not its last one. Return its last layer's")
    return module


def _input(arrival: Arrival, block: Block, name: str, source_shape: Shape) -> Input:
    at, linear = arrival.linear
    connection, reads = to_connection(linear, at, block.pool)
    transforms, pre = to_transforms(arrival.before, source_shape, linear)
    expected = (reads,) if isinstance(connection, Dense) else (reads, *pre[1:])
    if pre != expected or (isinstance(connection, Convolution) and len(pre) != 3):
        wanted = f"{reads} inputs" if isinstance(connection, Dense) else f"maps ({reads}, height, width)"
        raise UserError(f"{at} reads {wanted}, and gets shape {pre}. Change it, or add Flatten before it")
    return Input(name, arrival.source, tuple(transforms), connection, source_shape, pre)


def _loop(module: nn.Module, at: str, shape: Shape) -> Connection:
    """The connection by which a recurrent population of snnTorch reads itself."""
    recurrent = module.recurrent
    if isinstance(recurrent, nn.Conv2d):
        height, width = recurrent.kernel_size
        connection = RecurrentConv2d(recurrent.out_channels, (height, width))
        if len(shape) != 3 or connection.post_shape(shape) != shape:
            raise UserError(
                f"{at} reads {recurrent.in_channels} maps of its own by a kernel of {height}x{width}, and its "
                f"population has shape {shape}. Give it as many channels, and odd sides"
            )
        return connection
    if not isinstance(recurrent, nn.Linear):
        own = module.V
        assert isinstance(own, Tensor)
        if own.numel() == 1 and learns(module, "V"):
            raise UserError(
                f"{at} learns one V that all its neurons share, and here each learns its own. Give V=torch.ones(N), "
                f"or learn_recurrent=False"
            )
        number(own, at, "V", shape)
        return RecurrentSingle(shape[0])
    if shape != (recurrent.in_features,) or recurrent.out_features != recurrent.in_features:
        raise UserError(
            f"{at} has linear_features={recurrent.in_features}, and its population has shape {shape}. Make "
            f"them the same"
        )
    return Recurrent(recurrent.in_features)
