"""Device mismatch: no two transistors of a chip are alike, and each stays as it was made."""

from __future__ import annotations

import math

import torch
from torch import Tensor


def log_normal_gain(shape: tuple[int, ...], cv: float, generator: torch.Generator) -> Tensor:
    """g = exp(s N - s^2/2), s = sqrt(ln(1 + cv^2)): gains of mean 1 and coefficient of variation `cv`, float32.

    Log-normal since currents are positive: a gain never turns a weight's sign.

    Args:
        shape: of the gains.
        cv: standard deviation over mean, >= 0; 0 gives ones.
        generator: where N(0, 1) is drawn from; one seed is one chip.
    """
    s = math.sqrt(math.log1p(cv * cv))
    normal = torch.randn(shape, generator=generator, device=generator.device, dtype=torch.float64)
    return torch.exp(s * normal - s * s / 2).to(torch.float32)
