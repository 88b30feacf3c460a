"""The structure of a network as learning signals receive it: names, shapes and the kind of targets."""

from __future__ import annotations

from neurorules.contracts.net_shape import LayerShape, NetShape
from neurorules.language.settings import Task
from neurorules.network.network import Network


def shape_of(network: Network, task: Task = "classes") -> NetShape:
    """The structure of a network as signals receive it.

    Args:
        network: the network.
        task: the kind of targets.

    Returns:
        Names and shapes, without any weights.
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
