"""Fixed random feedback from the output to every hidden layer, which `dfa` and `drtp` share."""

from __future__ import annotations

from math import prod

import torch

from neurorules.contracts.net_shape import NetShape
from neurorules.contracts.signal import SignalState


def direct_feedback(net: NetShape, generator: torch.Generator) -> SignalState:
    """B_l of each hidden layer, (classes, *shape), entries N(0, 1/N_l), under the name `feedback_name` gives."""
    made: SignalState = {}
    for layer in net.hidden:
        matrix = torch.randn(net.classes, *layer.shape, generator=generator, dtype=torch.float64)
        made[feedback_name(layer.name)] = matrix * prod(layer.shape) ** -0.5
    return made


def feedback_name(layer: str) -> str:
    """Name of a layer's feedback in the signal's state."""
    return f"{layer}.feedback"
