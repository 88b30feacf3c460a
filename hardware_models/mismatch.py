"""Device mismatch: no two transistors of a chip are alike, and each stays as it was fabricated."""

from __future__ import annotations

import math
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor


def log_normal_gain(shape: tuple[int, ...], cv: float, generator: torch.Generator) -> Float[Tensor, "*shape"]:
    """Draw gains g = exp(s N - s^2/2), s = sqrt(ln(1 + cv^2)), of mean 1 and coefficient of variation `cv`.

    They are log-normal, since currents are positive: a gain never changes the sign of a weight.

    Args:
        shape: shape of the gains.
        cv: standard deviation over mean, >= 0; 0 gives ones.
        generator: the only source of random numbers; one seed is one chip.

    Returns:
        Gains > 0 of that shape, float32, on the device of the generator.
    """
    s = math.sqrt(math.log1p(cv * cv))
    normal = torch.randn(shape, generator=generator, device=generator.device, dtype=torch.float64)
    return torch.exp(s * normal - s * s / 2).to(torch.float32)


def draw_gains(
    shapes: dict[str, tuple[int, ...]], cv: float, neuron_cv: float, generator: torch.Generator
) -> dict[str, Any]:
    """Draw the gains of one chip's synapses and neurons.

    Args:
        shapes: shape of each connection's weights, (O, ...), by parameter name.
        cv: coefficient of variation of synapses, >= 0.
        neuron_cv: the same of neurons, >= 0.
        generator: the only source of random numbers.

    Returns:
        "<parameter>/gain" (O, ...) and "<parameter>/neuron" (O, 1, ...) for each connection.
    """
    gains: dict[str, Any] = {}
    for name, shape in shapes.items():
        gains[f"{name}/gain"] = log_normal_gain(shape, cv, generator)
        gains[f"{name}/neuron"] = log_normal_gain(of_neurons(shape), neuron_cv, generator)
    return gains


def of_neurons(shape: tuple[int, ...]) -> tuple[int, ...]:
    """The shape of one gain for each neuron, which counts for all its inputs.

    Args:
        shape: shape of a connection's weights, (O, ...).

    Returns:
        (O, 1, ...).
    """
    return (shape[0], *(1 for _ in shape[1:]))


def through_gains(state: dict[str, Any], name: str, w: Tensor) -> Tensor:
    """Read stored weights through the gains of synapses and neurons.

    Args:
        state: state of the chip, with what `draw_gains` drew.
        name: name of the parameter.
        w: stored weights.

    Returns:
        The weights as the chip applies them, of the same shape and type.
    """
    for part in ("gain", "neuron"):
        w = w * state[f"{name}/{part}"].to(w.device, w.dtype)
    return w
