"""Arithmetic with signed integers of b bits: rounding, saturation, and step sizes that multiply them without error."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor


def nearest(x: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    """Round to the nearest whole number, and from half way to the even one."""
    return torch.round(x)


def half_away(x: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    """Round to the nearest whole number, and from half way to the one farther from 0."""
    return torch.trunc(x + torch.copysign(torch.full_like(x, 0.5), x))


def stochastic(x: Float[Tensor, "*shape"], generator: torch.Generator) -> Float[Tensor, "*shape"]:
    """Round up or down at random: SR(x) = floor(x) + [u < x - floor(x)], with u uniform in [0, 1), so that E[SR(x)] =
    x.

    The draws are made on the device of the generator, so that a generator on the CPU gives the same bits everywhere.
    The fraction is compared with u, not added to it: floor(x + u) would lift a large whole number whose sum with u is
    rounded up. Source: Davies et al. 2018, IEEE Micro 38(1), learning engine of Loihi; as in Lava's `learning`.

    Args:
        x: numbers of any shape.
        generator: the only source of random numbers.

    Returns:
        Whole numbers of the shape and type of x; those that were whole before stay as they are.
    """
    u = torch.rand(x.shape, generator=generator, device=generator.device, dtype=x.dtype).to(x.device)
    below = torch.floor(x)
    return below + (u < x - below).to(x.dtype)


def saturate(codes: Float[Tensor, "*shape"], bits: int) -> Float[Tensor, "*shape"]:
    """Clip whole numbers to the range of two's complement.

    Args:
        codes: whole numbers of any shape.
        bits: b, the sign included, >= 1.

    Returns:
        Whole numbers in -2^(b-1) .. 2^(b-1) - 1, of the shape and type of `codes`.
    """
    half = 2 ** (bits - 1)
    return codes.clamp(-half, half - 1)


def short_step(step: float, mantissa_bits: int) -> float:
    """Find the smallest number >= `step` whose mantissa has few bits. With one bit it is a power of two.

    Args:
        step: > 0, finite.
        mantissa_bits: number of bits, >= 1. A code of b - 1 bits times the result is exact in float32 as long as b - 1
            + mantissa_bits <= 24.

    Returns:
        That number, in [step, 2 step).
    """
    mantissa, exponent = math.frexp(step)
    return math.ldexp(math.ceil(math.ldexp(mantissa, mantissa_bits)), exponent - mantissa_bits)
