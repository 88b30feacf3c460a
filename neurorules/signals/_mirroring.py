"""Weight mirroring: noise travels forward, and what comes out turns the feedback into the forward weights' transpose.

Source: Akrout et al. 2019; for PEPITA's projection, Srinivasan et al. 2024.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from neurorules.contracts.net_shape import LayerShape, NetShape
from neurorules.contracts.signal import SignalState
from neurorules.signals._projection import deviation, product_of

KEPT = 0.98
"""Share of the mirror that a trial keeps."""
WARM_UP = 20
"""Trials before the mirror is believed."""
NOISE, RATE, DECAY = 0.1, 0.1, 0.5
"""Of the scheme layer by layer: deviation of the noise, learning rate and weight decay of the matrices."""


def noise_like(rows: Tensor, seed: Tensor, trial: Tensor) -> Tensor:
    """Random signs shaped like `rows`: the same for the same trial, so that they need not be kept."""
    generator = torch.Generator().manual_seed((int(seed) * 1_000_003 + int(trial)) % 2**63)
    words = torch.empty(-(-rows.numel() // 8), dtype=torch.int64).random_(generator=generator)  # eight signs a draw
    bits = words.view(torch.int8)[: rows.numel()].bitwise_and(1)
    return bits.to(rows.device, rows.dtype).reshape(rows.shape).mul_(2).sub_(1)


def moved_mirror(mirror: Tensor, noise: Tensor, response: Tensor) -> Tensor:
    """J <- .98 J + .02 mean(n j^T), (classes, *input), from noise (B, *input) and the response (B, classes) to it."""
    correlation = torch.tensordot(response.T, noise, 1) / len(noise)
    return KEPT * mirror + (1 - KEPT) * correlation


def moved_feedback(
    layer: LayerShape, state: SignalState, answer_of: Callable[[str, Tensor], Tensor], rows: int
) -> Tensor:
    """B_l <- B_l + rate (mean(n^T h(W_l n)) - decay B_l), noise n into one layer alone, its batch mean taken away."""
    matrix = state[f"feedback.{layer.name}"]
    noise = noise_like(matrix.new_empty(rows, matrix.shape[0]), state["seed"], state["trial"]) * NOISE
    noise = noise - noise.mean(0)
    answer = answer_of(layer.name, noise)
    return matrix + RATE * (noise.T @ answer / rows - DECAY * matrix)


def rescaled_feedback(net: NetShape, state: SignalState, kappa: float) -> tuple[dict[str, Tensor], Tensor]:
    """All B_l times one factor that gives B_1 ... B_L the deviation of F, and that product as (classes, *input)."""
    feedback = {layer.name: state[f"feedback.{layer.name}"] for layer in net.layers}
    product = product_of(feedback, net)
    factor = deviation(net, kappa) / product.std().clamp(min=torch.finfo(product.dtype).tiny)
    each = factor ** (1 / len(feedback))
    return {f"feedback.{name}": matrix * each for name, matrix in feedback.items()}, product * factor
