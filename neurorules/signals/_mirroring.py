"""Weight mirroring: noise is sent forward, and the response to it makes feedback weights approach W^T.

Source: Akrout et al. 2019; for PEPITA's projection, Srinivasan et al. 2024.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from jaxtyping import Float, Int
from torch import Tensor

from neurorules.contracts.net_shape import LayerShape, NetShape
from neurorules.contracts.signal import SignalState
from neurorules.signals._projection import deviation, product_of

MEMORY = 0.98
"""Share of the mirror that remains after a trial; the rest is replaced by the correlation in that trial."""
WARM_UP = 20
"""Number of trials before the mirror is used for the first time."""
APART = 1_000_003
"""Distance between the seeds of two runs, so that no two trials of different runs draw the same numbers."""
NOISE, RATE, DECAY = 0.1, 0.1, 0.5
"""Parameters of layer-wise mirroring: standard deviation of the noise, learning rate and weight decay of B_l."""


def generator_of(seed: Int[Tensor, ""], *numbers: int) -> torch.Generator:
    """A random generator for a run and a list of numbers; the same arguments give the same draws.

    Args:
        seed: the seed of the run.
        numbers: integers such as the number of the trial, >= 0.

    Returns:
        The generator, on the CPU.
    """
    mixed = int(seed)
    for number in numbers:
        mixed = mixed * APART + number
    return torch.Generator().manual_seed(mixed % 2**63)


def noise_like(rows: Float[Tensor, "*shape"], seed: Int[Tensor, ""], trial: Int[Tensor, ""]) -> Float[Tensor, "*shape"]:
    """Draw random signs; the same seed and trial give the same signs, so they need not be stored.

    Args:
        rows: a tensor of the shape, device and precision of the result.
        seed: the seed of the run.
        trial: the number of the trial.

    Returns:
        Values of -1 and 1, shaped like `rows`.
    """
    generator = generator_of(seed, int(trial))
    words = torch.empty(-(-rows.numel() // 8), dtype=torch.int64).random_(generator=generator)  # eight signs per draw
    bits = words.view(torch.int8)[: rows.numel()].bitwise_and(1)
    return bits.to(rows.device, rows.dtype).reshape(rows.shape).mul_(2).sub_(1)


def moved_mirror(
    mirror: Float[Tensor, "C *input"], noise: Float[Tensor, "B *input"], response: Float[Tensor, "B C"]
) -> Float[Tensor, "C *input"]:
    """Update a mirror of the whole network: J <- .98 J + .02 mean(n j^T).

    Args:
        mirror: J before, (C, *input).
        noise: the noise n that entered the network, (B, *input).
        response: the read-out's response j to the noise, (B, C).

    Returns:
        J after the trial, (C, *input).
    """
    correlation = torch.tensordot(response.T, noise, 1) / len(noise)
    return MEMORY * mirror + (1 - MEMORY) * correlation


def moved_feedback(
    layer: LayerShape, state: SignalState, answer_of: Callable[[str, Tensor], Tensor], rows: int
) -> Float[Tensor, "I O"]:
    """Update the mirror of one layer: B_l <- B_l + rate (mean(n^T h(W_l n)) - decay B_l).

    Args:
        layer: the layer.
        state: a state with its matrix B_l, the seed and the number of the trial.
        answer_of: a function of a layer's name and of noise (B, I) into that layer only, which returns its graded
            output h(W_l n).
        rows: number of rows B of noise to draw; their mean is subtracted.

    Returns:
        B_l after the trial, (I, O).
    """
    matrix = state[f"feedback.{layer.name}"]
    noise = noise_like(matrix.new_empty(rows, matrix.shape[0]), state["seed"], state["trial"]) * NOISE
    noise = noise - noise.mean(0)
    answer = answer_of(layer.name, noise)
    return matrix + RATE * (noise.T @ answer / rows - DECAY * matrix)


def rescaled_feedback(
    net: NetShape, state: SignalState, kappa: float
) -> tuple[dict[str, Tensor], Float[Tensor, "C *input"]]:
    """Multiply all B_l by one factor, so that their product B_1 ... B_L has the standard deviation required of F.

    Args:
        net: the structure of the network.
        state: a state with the matrices.
        kappa: scale of F (see `_projection.deviation`), > 0.

    Returns:
        The matrices by their names in the state, and their product, (C, *input).
    """
    feedback = {layer.name: state[f"feedback.{layer.name}"] for layer in net.layers}
    product = product_of(feedback, net)
    factor = deviation(net, kappa) / product.std().clamp(min=torch.finfo(product.dtype).tiny)
    each = factor ** (1 / len(feedback))
    return {f"feedback.{name}": matrix * each for name, matrix in feedback.items()}, product * factor
