"""A network as learning signals see it: names and shapes, and the targets that its samples have."""

from __future__ import annotations

from neurorules.contracts.net_shape import LayerShape, NetShape
from neurorules.language.settings import Task
from neurorules.network.network import Network


def shape_of(network: Network, task: Task = "classes") -> NetShape:
    """A network as signals see it.

    Args:
        network: its layers.
        task: what the targets of its samples are.

    Returns:
        Names and shapes, without any weight.
    """
    layers = tuple(
        LayerShape(
            layer.name,
            layer.shape,
            layer.neuron,
            {layer.weight_name(e): e.connection.weight_shape(e.pre_shape) for e in layer.inputs},
        )
        for layer in network.layers
    )
    return NetShape(layers, network.input_shape, network.classes, task)
