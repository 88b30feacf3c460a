"""The projection F of PEPITA's error onto the input: how it begins, how large it is, how it stands to the weights."""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import reduce
from typing import Literal

import torch
from torch import Tensor

from neurorules.contracts.net_shape import NetShape

ProjectionInit = Literal["uniform", "normal", "class_means"]


def deviation(net: NetShape, kappa: float) -> float:
    """Standard deviation of F's entries, kappa sqrt(2 / inputs). Source: public code of Dellaferrera & Kreiman 2022."""
    return kappa * math.sqrt(2 / math.prod(net.input_shape))


def uniform_projection(net: NetShape, kappa: float, generator: torch.Generator) -> Tensor:
    """F as (classes, *input), uniform in +-kappa sqrt(6 / inputs). Source: Dellaferrera & Kreiman 2022 (code)."""
    bound = deviation(net, kappa) * math.sqrt(3)
    return (2 * torch.rand(net.classes, *net.input_shape, generator=generator, dtype=torch.float64) - 1) * bound


def layer_feedback(net: NetShape, kappa: float, generator: torch.Generator) -> dict[str, Tensor]:
    """One matrix B_l (inputs x outputs) a layer, N(0, s^2), by layer name; their product is F.

    s = (kappa sqrt(2 / N_0) / sqrt(prod of hidden sizes))^(1 / L). Source: Srinivasan et al. 2024 (code).
    """
    weights = [next(iter(layer.weights.values())) for layer in net.layers]
    spread = deviation(net, kappa) / math.sqrt(math.prod(shape[0] for shape in weights[:-1]))
    scale = spread ** (1 / len(weights))
    return {
        layer.name: torch.randn(*reversed(shape), generator=generator, dtype=torch.float64) * scale
        for layer, shape in zip(net.layers, weights, strict=True)
    }


def product_of(feedback: Mapping[str, Tensor], net: NetShape) -> Tensor:
    """B_1 B_2 ... B_L as (classes, *input)."""
    matrices = (feedback[layer.name] for layer in reversed(net.layers))
    total = reduce(lambda above, own: own @ above, matrices)
    return total.T.reshape(net.classes, *net.input_shape)


def scaled_to(direction: Tensor, wanted: float) -> Tensor:
    """The same direction with entries of standard deviation `wanted`."""
    return direction * (wanted / direction.std().clamp(min=torch.finfo(direction.dtype).tiny))


def is_dense_chain(net: NetShape) -> bool:
    """Whether every layer reads the one below it through one full matrix, and nothing else."""
    return all(len(layer.weights) == 1 and len(layer.shape) == 1 for layer in net.layers)


def forward_product(parameters: Mapping[str, Tensor], net: NetShape) -> Tensor:
    """W_L ... W_1 as (classes, *input), of a dense chain; gains of normalisations are left out."""
    weights = (parameters[next(iter(layer.weights))] for layer in reversed(net.layers))
    total = reduce(torch.matmul, weights)
    return total.reshape(net.classes, *net.input_shape)


def angle_deg(a: Tensor, b: Tensor) -> float:
    """Angle between two tensors of one shape, in degrees."""
    cosine = torch.nn.functional.cosine_similarity(a.flatten().double(), b.flatten().double(), 0)
    return math.degrees(math.acos(float(cosine.clamp(-1, 1))))
