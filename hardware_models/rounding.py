"""Arithmetic in b-bit signed integers: rounding, saturation, and steps that multiply without error."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor


def nearest(x: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    """The nearest whole number, an even one from half way; at most 1/2 off."""
    return torch.round(x)


def stochastic(x: Float[Tensor, "*shape"], generator: torch.Generator) -> Float[Tensor, "*shape"]:
    """SR(x) = floor(x) + [u < x - floor(x)], u uniform in [0, 1): E[SR(x)] = x, and a whole number stays as it is.

    The draws are made on the generator's device, so that a generator on the CPU gives the same bits everywhere.
    The fraction is compared, not added: floor(x + u) would lift a large whole number whose sum with u is rounded up.

    Source: Davies et al. 2018, IEEE Micro 38(1), learning engine of Loihi; as in Lava's `learning`.
    """
    u = torch.rand(x.shape, generator=generator, device=generator.device, dtype=x.dtype).to(x.device)
    below = torch.floor(x)
    return below + (u < x - below).to(x.dtype)


def saturate(codes: Float[Tensor, "*shape"], bits: int) -> Float[Tensor, "*shape"]:
    """Whole numbers kept within -2^(b-1) .. 2^(b-1) - 1, two's complement of `bits` bits b."""
    half = 2 ** (bits - 1)
    return codes.clamp(-half, half - 1)


def short_step(step: float, mantissa_bits: int) -> float:
    """The smallest number >= `step` whose mantissa has so many bits; with one bit, a power of two.

    Args:
        step: > 0, finite.
        mantissa_bits: >= 1. A code of b - 1 bits times such a step is exact in float32 while their sum is <= 24.
    """
    mantissa, exponent = math.frexp(step)
    return math.ldexp(math.ceil(math.ldexp(mantissa, mantissa_bits)), exponent - mantissa_bits)
