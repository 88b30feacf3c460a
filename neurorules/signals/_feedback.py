"""Fixed random feedback from the output to every hidden layer, which `dfa` and `drtp` share."""

from __future__ import annotations

from math import prod

import torch

from neurorules.contracts.net_shape import NetShape
from neurorules.contracts.signal import SignalState


def direct_feedback(net: NetShape, generator: torch.Generator) -> SignalState:
    """Draw B_l of each hidden layer, with entries from N(0, 1/N_l).

    Args:
        net: the structure of the network.
        generator: the only source of random numbers.

    Returns:
        Matrices (C, *shape), float64, by the names that `feedback_name` gives.
    """
    feedback: SignalState = {}
    for layer in net.hidden:
        matrix = torch.randn(net.classes, *layer.shape, generator=generator, dtype=torch.float64)
        feedback[feedback_name(layer.name)] = matrix * prod(layer.shape) ** -0.5
    return feedback


def feedback_name(layer: str) -> str:
    """Name of a layer's feedback matrix in the state of the signal."""
    return f"{layer}.feedback"
