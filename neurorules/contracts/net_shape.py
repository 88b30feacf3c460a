"""The structure of a network as a learning signal sees it: names and shapes, without any weight."""

from __future__ import annotations

from typing import NamedTuple

from neurorules.contracts.neuron import Neuron
from neurorules.language.settings import Task


class LayerShape(NamedTuple):
    """One layer's name, shape and inputs.

    Args:
        name: such as "hidden1" or "readout".
        shape: of its population, (N,) or (C, H, W).
        neuron: what its units compute.
        weights: shape of each connection's weights, by parameter name such as "hidden1.ff.w".
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
        classes: number of classes C, >= 2; of labels or of outputs O, >= 1, where the targets are such.
        task: what the targets of samples are (`neurorules.contracts.target`).
    """

    layers: tuple[LayerShape, ...]
    input_shape: tuple[int, ...]
    classes: int
    task: Task = "classes"

    @property
    def hidden(self) -> tuple[LayerShape, ...]:
        """The layers below the read-out, which learn from the signal."""
        return self.layers[:-1]
