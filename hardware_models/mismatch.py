"""Device mismatch: no two transistors of a chip are alike, and each stays as it was fabricated."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor


def log_normal_gain(shape: tuple[int, ...], cv: float, generator: torch.Generator) -> Float[Tensor, "*shape"]:
    """Draw gains g = exp(s N - s^2/2), s = sqrt(ln(1 + cv^2)), of mean 1 and coefficient of variation `cv`.

    They are log-normal, since currents are positive: a gain never changes the sign of a weight.

    Args:
        shape: of the gains.
        cv: standard deviation over mean, >= 0; 0 gives ones.
        generator: the only source of random numbers; one seed is one chip.

    Returns:
        Gains > 0 of that shape, float32, on the device of the generator.
    """
    s = math.sqrt(math.log1p(cv * cv))
    normal = torch.randn(shape, generator=generator, device=generator.device, dtype=torch.float64)
    return torch.exp(s * normal - s * s / 2).to(torch.float32)
