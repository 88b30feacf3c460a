"""Fixed random feedback: from the output to every hidden layer (`dfa`, `drtp`), or layer by layer (`fa`, `spatial`)."""

from __future__ import annotations

from math import prod

import torch

from neurorules.contracts.net_shape import NetShape
from neurorules.contracts.signal import SignalState


def direct_feedback(net: NetShape, generator: torch.Generator) -> SignalState:
    """Draw a feedback matrix B_l for each hidden layer, with entries from N(0, 1/N_l).

    Args:
        net: the structure of the network.
        generator: the only source of random numbers.

    Returns:
        Matrices (C, *shape), float64, by the names that `feedback_name` returns.
    """
    feedback: SignalState = {}
    for layer in net.hidden:
        matrix = torch.randn(net.classes, *layer.shape, generator=generator, dtype=torch.float64)
        feedback[feedback_name(layer.name)] = matrix * prod(layer.shape) ** -0.5
    return feedback


def feedback_name(layer: str) -> str:
    """Name of a layer's feedback matrix in the state of the signal."""
    return f"{layer}.feedback"


def layer_feedback(net: NetShape, generator: torch.Generator) -> SignalState:
    """Draw feedback weights for each weight matrix, with entries from N(0, 1/fan-in).

    Args:
        net: the structure of the network.
        generator: the only source of random numbers.

    Returns:
        Tensors with the shapes of the weights, float64, by the names that `layer_feedback_name` returns.
    """
    feedback: SignalState = {}
    for layer in net.layers:
        for name, shape in layer.weights.items():
            drawn = torch.randn(shape, generator=generator, dtype=torch.float64)
            feedback[layer_feedback_name(name)] = drawn * prod(shape[1:]) ** -0.5
    return feedback


def layer_feedback_name(weights: str) -> str:
    """Name of the feedback weights that belong to a weight matrix in the state of the signal."""
    return f"feedback.{weights}"
