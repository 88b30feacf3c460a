"""The synapse of a name LAYER:POST:PRE, and the positions of its two neurons in the tensors of layers.

POST and PRE are neurons: a number, or channel.row.column in a population of maps (`hidden1:2.5.5:0.4.6`). In a
convolution, all pairs at the same offset share one weight of the kernel. LAYER may name one of several inputs:
`hidden1.rec`, `readout.hidden1`.
"""

from __future__ import annotations

from math import prod
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from neurorules.connections._products import Matrix
from neurorules.connections.conv2d import Conv2d
from neurorules.language.errors import UserError, unknown
from neurorules.network.layer import Input, Layer
from neurorules.network.network import Network

Place = tuple[int, ...]


class Synapse(NamedTuple):
    """One recorded synapse, by its layer, input and place among the weights.

    Args:
        layer, entry: the layer and the input that it belongs to.
        post, pre: places of its neurons in the layer's shape and the connection's `pre_shape`.
        weight: index of its weight in the connection's.
    """

    layer: Layer
    entry: Input
    post: Place
    pre: Place
    weight: Place

    @property
    def name(self) -> str:
        """LAYER:POST:PRE; the input is part of the name if it is not the feed-forward one."""
        layer = self.layer.name if self.entry.name == "ff" else f"{self.layer.name}.{self.entry.name}"
        return f"{layer}:{_dotted(self.post)}:{_dotted(self.pre)}"

    def pairs(self, post: Tensor, pre: Tensor) -> tuple[Tensor, Tensor]:
        """Two factors at every pair of neurons that shares the weight.

        Args:
            post: postsynaptic factor, (T, B, *shape).
            pre: presynaptic factor, (T, B, *pre).

        Returns:
            Both factors, (T, B, P) each; P = 1 except for convolutions.
        """
        if not isinstance(self.entry.connection, Conv2d):
            return post[:, :, self.post[0], None], pre[:, :, self.pre[0], None]
        channel, source, y, x = self.weight
        conv, (rows, columns) = self.entry.connection, self.layer.shape[1:]
        around, stride = conv.zeros_around, conv.stride
        padded = functional.pad(pre[:, :, source], (around, around, around, around))
        read = padded[:, :, y : y + stride * rows : stride, x : x + stride * columns : stride]
        return post[:, :, channel].flatten(2), read[:, :, :rows, :columns].flatten(2)

    @property
    def own_pair(self) -> int | None:
        """The position of the named pair among those of `pairs`; None if it is the only one."""
        if not isinstance(self.entry.connection, Conv2d):
            return None
        return self.post[1] * self.layer.shape[2] + self.post[2]

    def strongest(self, gradient: Tensor) -> Synapse:
        """The synapse of the same postsynaptic neuron whose weight a gradient moves most."""
        sizes, conv = gradient[self.weight[0]].abs().clone(), self.entry.connection
        if not isinstance(conv, Conv2d):
            return self._from(int(sizes.argmax()))
        corner = [place * conv.stride - conv.zeros_around for place in self.post[1:]]
        for axis, (start, length) in enumerate(zip(corner, self.entry.pre_shape[1:], strict=True), start=1):
            outside = [i for i in range(conv.kernel) if not 0 <= start + i < length]
            sizes.index_fill_(axis, torch.tensor(outside, dtype=torch.long, device=sizes.device), -1.0)
        channel, y, x = (int(i) for i in np.unravel_index(int(sizes.argmax()), tuple(sizes.shape)))
        return self._from(channel, corner[0] + y, corner[1] + x)

    def _from(self, *pre: int) -> Synapse:
        return self._replace(pre=pre, weight=_weight_index(self.layer, self.entry, self.post, pre))


def find_synapse(network: Network, text: str) -> Synapse:
    """Find the synapse that LAYER:POST:PRE names.

    Args:
        network: the network.
        text: the name.

    Returns:
        The synapse.

    Raises:
        UserError: there is no such layer, input, neuron or synapse, or the synapses of the connection are not single
            weights.
    """
    pieces = text.split(":")
    if len(pieces) != 3:
        raise UserError(f"'{text}' names no synapse. Write LAYER:POST:PRE, such as {_example(network)}")
    layer, entry = _connection(network, pieces[0])
    if not isinstance(entry.connection, Matrix | Conv2d):
        kind = type(entry.connection).__name__.lower()
        raise UserError(
            f"a synapse of a {kind} connection ('{layer.name}') is not a single weight. Explain one of a dense, "
            f"recurrent, dynamic or convolutional connection"
        )
    post = _neuron(f"layer '{layer.name}'", pieces[1], layer.shape)
    source = f"input '{entry.name}' of layer '{layer.name}'"
    shapes = (entry.pre_shape, entry.source_shape) if prod(entry.source_shape) == prod(entry.pre_shape) else ()
    pre = _neuron(source, pieces[2], entry.pre_shape, *shapes)
    return Synapse(layer, entry, post, pre, _weight_index(layer, entry, post, pre))


def _example(network: Network) -> str:
    layer = network.layers[0]
    post, pre = (_dotted(tuple(n // 2 for n in shape)) for shape in (layer.shape, layer.inputs[0].pre_shape))
    return f"{layer.name}:{post}:{pre}"


def _connection(network: Network, text: str) -> tuple[Layer, Input]:
    name, _, wanted = text.partition(".")
    layers = {layer.name: layer for layer in network.layers}
    if name not in layers:
        raise unknown("layer", name, layers)
    layer = layers[name]
    entries = {entry.name: entry for entry in layer.inputs}
    if not wanted and len(entries) > 1 and "ff" not in entries:
        raise UserError(f"layer '{name}' has the inputs {', '.join(entries)}. Name one: {name}.{next(iter(entries))}")
    wanted = wanted or next(iter(entries))
    if wanted not in entries:
        raise unknown(f"input of layer '{name}'", wanted, entries)
    return layer, entries[wanted]


def _neuron(owner: str, text: str, shape: Place, *others: Place) -> Place:
    """The position in `shape` of a neuron that is given by its number, or by coordinates in this or another shape of
    the same size.
    """
    shapes = {len(other): other for other in (*others, shape)}
    try:
        places = tuple(int(piece) for piece in text.split("."))
    except ValueError:
        places = ()
    shapes[1] = (prod(shape),)
    if len(places) not in shapes:
        raise UserError(f"'{text}' is not a neuron of {owner}. Write {_forms(shape)}")
    if not all(0 <= place < length for place, length in zip(places, shapes[len(places)], strict=True)):
        raise UserError(f"{owner} has no neuron {text}. Its neurons are {_ranges(shapes[len(places)])}")
    number = np.ravel_multi_index(places, shapes[len(places)])
    return tuple(int(place) for place in np.unravel_index(number, shape))


def _forms(shape: Place) -> str:
    number = f"a number, {_ranges((prod(shape),))}"
    return number if len(shape) == 1 else f"channel.row.column, {_ranges(shape)}, or {number}"


def _ranges(shape: Place) -> str:
    return ".".join(f"0..{length - 1}" if length > 1 else "0" for length in shape)


def _weight_index(layer: Layer, entry: Input, post: Place, pre: Place) -> Place:
    conv = entry.connection
    if not isinstance(conv, Conv2d):
        return (*post, *pre)
    corner = [place * conv.stride - conv.zeros_around for place in post[1:]]
    offset = tuple(place - start for place, start in zip(pre[1:], corner, strict=True))
    if not all(0 <= step < conv.kernel for step in offset):
        read = [
            f"{max(start, 0)}..{min(start + conv.kernel, length) - 1}"
            for start, length in zip(corner, entry.pre_shape[1:], strict=True)
        ]
        raise UserError(
            f"neuron {_dotted(post)} of layer '{layer.name}' has no synapse from {_dotted(pre)}: it sees rows "
            f"{read[0]} and columns {read[1]} of each map"
        )
    return (post[0], pre[0], *offset)


def _dotted(place: Place) -> str:
    return ".".join(map(str, place))
