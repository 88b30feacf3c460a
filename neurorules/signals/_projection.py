"""PEPITA's matrix F, which projects the error onto the input: initial values, scale, and angle to the weights."""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import reduce
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from neurorules.contracts.net_shape import NetShape

ProjectionInit = Literal["uniform", "normal", "class_means"]


def deviation(net: NetShape, kappa: float) -> float:
    """Standard deviation of the entries of F: kappa sqrt(2 / inputs). Source: public code of Dellaferrera & Kreiman
    2022.

    Args:
        net: the structure of the network.
        kappa: the scale, > 0.

    Returns:
        The standard deviation, > 0.
    """
    return kappa * math.sqrt(2 / math.prod(net.input_shape))


def uniform_projection(net: NetShape, kappa: float, generator: torch.Generator) -> Float[Tensor, "C *input"]:
    """Draw F from a uniform distribution in +-kappa sqrt(6 / inputs). Source: Dellaferrera & Kreiman 2022 (code).

    Args:
        net: the structure of the network.
        kappa: the scale, > 0.
        generator: the only source of random numbers.

    Returns:
        F, (C, *input), float64.
    """
    bound = deviation(net, kappa) * math.sqrt(3)
    return (2 * torch.rand(net.classes, *net.input_shape, generator=generator, dtype=torch.float64) - 1) * bound


def layer_feedback(net: NetShape, kappa: float, generator: torch.Generator) -> dict[str, Tensor]:
    """Draw one matrix B_l per layer from N(0, s^2); their product is F.

    s = (kappa sqrt(2 / N_0) / sqrt(prod of hidden sizes))^(1 / L). Source: Srinivasan et al. 2024 (code).

    Args:
        net: the structure of the network, a chain of dense layers.
        kappa: the scale of F, > 0.
        generator: the only source of random numbers.

    Returns:
        Matrices (I, O), float64, by layer name.
    """
    weights = [next(iter(layer.weights.values())) for layer in net.layers]
    spread = deviation(net, kappa) / math.sqrt(math.prod(shape[0] for shape in weights[:-1]))
    scale = spread ** (1 / len(weights))
    return {
        layer.name: torch.randn(*reversed(shape), generator=generator, dtype=torch.float64) * scale
        for layer, shape in zip(net.layers, weights, strict=True)
    }


def product_of(feedback: Mapping[str, Float[Tensor, "_ _"]], net: NetShape) -> Float[Tensor, "C *input"]:
    """Multiply the matrices of all layers.

    Args:
        feedback: matrices B_l (I, O) by layer name.
        net: the structure of the network.

    Returns:
        B_1 B_2 ... B_L, transposed, as (C, *input).
    """
    matrices = (feedback[layer.name] for layer in reversed(net.layers))
    total = reduce(lambda above, own: own @ above, matrices)
    return total.T.reshape(net.classes, *net.input_shape)


def scaled_to(direction: Float[Tensor, "*shape"], spread: float | Tensor) -> Float[Tensor, "*shape"]:
    """Scale a tensor to a standard deviation.

    Args:
        direction: any tensor.
        spread: the standard deviation that its entries shall have, > 0.

    Returns:
        The tensor times one number.
    """
    return direction * (direction.std().clamp(min=torch.finfo(direction.dtype).tiny).reciprocal() * spread)


def is_dense_chain(net: NetShape) -> bool:
    """Whether every layer has exactly one input, the layer below through a full matrix."""
    return all(len(layer.weights) == 1 and len(layer.shape) == 1 for layer in net.layers)


def forward_product(parameters: Mapping[str, Tensor], net: NetShape) -> Float[Tensor, "C *input"]:
    """The product of the weights of a chain of dense layers, without the gains of normalisations.

    Args:
        parameters: weights by full name.
        net: the structure of the network.

    Returns:
        W_L ... W_1 as (C, *input).
    """
    weights = (parameters[next(iter(layer.weights))] for layer in reversed(net.layers))
    total = reduce(torch.matmul, weights)
    return total.reshape(net.classes, *net.input_shape)


def angle_deg(a: Float[Tensor, "*shape"], b: Float[Tensor, "*shape"]) -> float:
    """The angle between two tensors, read as vectors.

    Args:
        a, b: tensors of one shape.

    Returns:
        Degrees, 0 to 180.
    """
    cosine = torch.nn.functional.cosine_similarity(a.flatten().double(), b.flatten().double(), 0)
    return math.degrees(math.acos(float(cosine.clamp(-1, 1))))
