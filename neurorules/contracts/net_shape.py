"""The structure of a network in the form that learning signals receive: names and shapes, without any weights."""

from __future__ import annotations

from typing import NamedTuple

from neurorules.contracts.neuron import Neuron
from neurorules.language.settings import Task


class LayerShape(NamedTuple):
    """One layer's name, shape and inputs.

    Args:
        name: the name of the layer, such as "hidden1" or "readout".
        shape: the shape of its population, (N,) or (C, H, W).
        neuron: its neuron model.
        weights: the shape of each connection's weights, by parameter name such as "hidden1.ff.w".
    """

    name: str
    shape: tuple[int, ...]
    neuron: Neuron
    weights: dict[str, tuple[int, ...]]


class NetShape(NamedTuple):
    """A network's layers, by name, shape and inputs.

    Args:
        layers: from the first hidden layer to the read-out, which is the last.
        input_shape: shape of one sample, *input.
        classes: number of classes C, >= 2; for other tasks, the number of labels or of outputs O, >= 1.
        task: the kind of targets (`neurorules.contracts.target`).
    """

    layers: tuple[LayerShape, ...]
    input_shape: tuple[int, ...]
    classes: int
    task: Task = "classes"

    @property
    def hidden(self) -> tuple[LayerShape, ...]:
        """The layers below the read-out."""
        return self.layers[:-1]
