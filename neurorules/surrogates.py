"""Surrogates: the pseudo-derivative psi of a spike, and the function f whose derivative it is.

A spike is a step function of x = v - v_threshold (in units of the membrane), whose derivative is 0 almost everywhere.
Rules use psi(x) >= 0 in its place, and losses "before the spike" use f(x), with f' = psi.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated

import torch
from jaxtyping import Float
from torch import Tensor

from neurorules.contracts.surrogate import Surrogate
from neurorules.language.errors import unknown
from neurorules.language.options import convert_options, parse_named
from neurorules.language.ranges import NonNegative, Positive, Range, ranged


@ranged("surrogate 'boxcar'")
@dataclass(frozen=True)
class Boxcar(Surrogate):
    """A boxcar: psi = 1/(2 width) if |x| <= width, else 0. Source: Kaiser et al. 2020 (DECOLLE)."""

    width: Positive = 0.5

    def psi(self, x: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
        return (x.abs() <= self.width).to(x.dtype) / (2 * self.width)

    def primitive(self, x: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
        return (x / self.width).clamp(-1, 1) / 2


@ranged("surrogate 'triangle'")
@dataclass(frozen=True)
class Triangle(Surrogate):
    """psi = height max(0, 1 - |x|/width). Source: Bellec et al. 2018, with height 0.3 and width v_threshold."""

    height: Positive = 0.3
    width: Positive = 1.0

    def psi(self, x: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
        return self.height * (1 - x.abs() / self.width).clamp(min=0)

    def primitive(self, x: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
        y = (x / self.width).clamp(-1, 1)
        return self.height * self.width * (y - y * y.abs() / 2)


@ranged("surrogate 'piecewise_linear'")
@dataclass(frozen=True)
class PiecewiseLinear(Surrogate):
    """psi = 1/(2 width) if |x| <= width, else leak. Source: SpikingJelly, piecewise leaky ReLU (Fang 2023)."""

    width: Positive = 1.0
    leak: NonNegative = 0.01

    def psi(self, x: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
        inside = (x.abs() <= self.width).to(x.dtype)
        return inside / (2 * self.width) + (1 - inside) * self.leak

    def primitive(self, x: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
        inside = x.clamp(-self.width, self.width)
        return inside / (2 * self.width) + self.leak * (x - inside)


@ranged("surrogate 'fast_sigmoid'")
@dataclass(frozen=True)
class FastSigmoid(Surrogate):
    """psi = 1/(1 + k|x|)^2, f = x/(1 + k|x|). Source: Zenke & Ganguli 2018, as in snnTorch (slope k = 25 there)."""

    k: NonNegative = 2.0

    def psi(self, x: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
        return (1 + self.k * x.abs()).pow(-2)

    def primitive(self, x: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
        return x / (1 + self.k * x.abs())


@ranged("surrogate 'atan'")
@dataclass(frozen=True)
class Atan(Surrogate):
    """psi = (alpha/2)/(1 + (pi/2 alpha x)^2), f = arctan(pi/2 alpha x)/pi. Source: Fang et al. 2021, as in snnTorch."""

    alpha: Positive = 2.0

    def psi(self, x: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
        return (self.alpha / 2) / (1 + (math.pi / 2 * self.alpha * x).square())

    def primitive(self, x: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
        return torch.atan(math.pi / 2 * self.alpha * x) / math.pi


@ranged("surrogate 'comparator'")
@dataclass(frozen=True)
class Comparator(Surrogate):
    """psi = 1 if x >= -below, else 0, which needs only one comparison of the membrane. Source: SDSP in ODIN."""

    below: NonNegative = 0.5

    def psi(self, x: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
        return (x >= -self.below).to(x.dtype)

    def primitive(self, x: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
        return (x + self.below).clamp(min=0)


@ranged("surrogate 'table'")
@dataclass(frozen=True)
class Table(Surrogate):
    """A triangle as a lookup table: each of `entries` segments within |x| < width has the value at its middle, rounded
    to `bits` bits; 0 outside. Source: ReckOn's table of 5 segments, two of which are open, is entries=3 and bits=4.
    """

    height: Positive = 0.3
    width: Positive = 1.0
    entries: Annotated[int, Range("[1, 64]")] = 3
    bits: Annotated[int, Range("[1, 16]")] = 4

    def segments(self) -> tuple[tuple[float, float, float], ...]:
        """The start, the (exclusive) end, and psi of each segment."""
        levels, size = 2**self.bits - 1, 2 * self.width / self.entries
        cuts = [-self.width + size * n for n in range(self.entries)] + [self.width]
        middles = [abs(2 * n + 1 - self.entries) / self.entries for n in range(self.entries)]
        values = [self.height * round((1 - middle) * levels) / levels for middle in middles]
        return tuple(zip(cuts[:-1], cuts[1:], values, strict=True))

    def psi(self, x: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
        total = torch.zeros_like(x)
        for begin, end, value in self.segments():
            total = total + value * ((x >= begin) & (x < end)).to(x.dtype)
        return total

    def primitive(self, x: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
        total = torch.zeros_like(x)
        for begin, end, value in self.segments():
            total = total + value * (x.clamp(begin, end) - begin)
        return total


@ranged("surrogate 'power_of_two'")
@dataclass(frozen=True)
class PowerOfTwo(Surrogate):
    """psi = 2^-(n + 1) if n width <= |x| < (n + 1) width, n < octaves, else 0: a bit shift replaces the product.

    This surrogate is ours; except at its corners it equals 2^-ceil(|x| / width).
    """

    width: Positive = 0.25
    octaves: Annotated[int, Range("[1, 32]")] = 4

    def psi(self, x: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
        distance, total = x.abs(), torch.zeros_like(x)
        for begin, end, value in self.segments():
            total = total + value * ((distance >= begin) & (distance < end)).to(x.dtype)
        return total

    def primitive(self, x: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
        distance, total = x.abs(), torch.zeros_like(x)
        for begin, end, value in self.segments():
            total = total + value * (distance.clamp(begin, end) - begin)
        return torch.sign(x) * total

    def segments(self) -> tuple[tuple[float, float, float], ...]:
        """The start, the (exclusive) end, and psi of each octave, as distances from the threshold."""
        return tuple((self.width * n, self.width * (n + 1), 0.5 ** (n + 1)) for n in range(self.octaves))


SURROGATES: dict[str, type[Surrogate]] = {
    "boxcar": Boxcar,
    "triangle": Triangle,
    "piecewise_linear": PiecewiseLinear,
    "fast_sigmoid": FastSigmoid,
    "atan": Atan,
    "comparator": Comparator,
    "table": Table,
    "power_of_two": PowerOfTwo,
}


def make_surrogate(text: str) -> Surrogate:
    """Build the surrogate from a text `name:key=value`, such as `fast_sigmoid:k=25`. As an option of a neuron, its
    options are written after a full stop: `lif:surrogate=fast_sigmoid:surrogate.k=25`.

    Raises:
        UserError: a surrogate or an option is unknown (the message names the nearest one), or a value is out of range.
    """
    name, options = parse_named(text)
    kind = kind_of(name)
    return kind(**convert_options(f"surrogate '{name}'", kind, options))


def kind_of(name: str) -> type[Surrogate]:
    """The class of a surrogate, whose fields are its options.

    Args:
        name: such as "fast_sigmoid".

    Returns:
        The class.

    Raises:
        UserError: there is no such surrogate; the message names the nearest one.
    """
    if name not in SURROGATES:
        raise unknown("surrogate", name, SURROGATES)
    return SURROGATES[name]
