"""The values in the walk through a module's forward, and the layers that functions stand for."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any, NamedTuple

import snntorch
import torch
from torch import nn
from torch.nn import functional

Spiking = (snntorch.Leaky, snntorch.RLeaky, snntorch.Synaptic, snntorch.RSynaptic, snntorch.Lapicque, snntorch.Alpha)
Populations = (*Spiking, nn.ReLU, nn.Tanh)
Norms = (nn.BatchNorm1d, nn.BatchNorm2d)
Pools = (nn.MaxPool2d, nn.AvgPool2d, nn.MaxPool1d, nn.AvgPool1d)


class Placed(NamedTuple):
    """A module and how messages name it."""

    at: str
    module: nn.Module


class Arrival(NamedTuple):
    """A linear map of a population's spikes.

    Args:
        source: index of the block whose spikes it reads; `NETWORK_INPUT` for the net's input.
        before: transforms of the spikes on their way.
        linear: a Linear or a convolution.
        spikes_times: a number by which what it reads is multiplied.
        current_times: a number by which its current is multiplied, bias included.
    """

    source: int
    before: tuple[Placed, ...]
    linear: Placed
    spikes_times: float = 1.0
    current_times: float = 1.0


class Block(NamedTuple):
    """The modules of a user's net that make one layer.

    Args:
        arrivals: linear maps, whose currents are added.
        norm: batch normalisation of the current, or None.
        pool: a pool of the current, or None.
        population: the neurons, or None for a plain Linear at the end.
    """

    arrivals: tuple[Arrival, ...]
    norm: Placed | None
    pool: Placed | None
    population: Placed | None


class Activity(NamedTuple):
    """Spikes of a block, or the input, after transforms, times a number."""

    source: int
    before: tuple[Placed, ...] = ()
    times: float = 1.0


class Current(NamedTuple):
    """The current that linear maps bring to a population that has not been called yet."""

    arrivals: tuple[Arrival, ...]
    norm: Placed | None = None
    pool: Placed | None = None


class Returned(NamedTuple):
    """Spikes and states of a block, which returns them together."""

    source: int


class State(NamedTuple):
    """A membrane or a synaptic current: of a block, or handed to forward (None)."""

    source: int | None
    name: str = ""


class Size(NamedTuple):
    """A number that is read off a shape."""


Value = Any
"""An Activity, Current, Returned, State, Size, or a constant of the user's code."""

SUMS = {
    operator.add: 1, operator.iadd: 1, torch.add: 1, "add": 1, "add_": 1,
    operator.sub: -1, operator.isub: -1, torch.sub: -1, torch.subtract: -1, "sub": -1, "sub_": -1,
}  # fmt: skip
"""Sums and differences, and the sign of their second part."""
PRODUCTS = (operator.mul, operator.imul, torch.mul, torch.multiply, "mul", "mul_")
QUOTIENTS = (operator.truediv, operator.itruediv, torch.div, torch.divide, "div", "div_")
NEGATIVES = (operator.neg, torch.neg, torch.negative, "neg")
SAME = ("float", "double", "contiguous", "clone", "to")
"""Methods that leave spikes what they are."""
MODULES_OF: dict[Callable[..., Any], Callable[..., nn.Module]] = {
    functional.relu: lambda inplace=False: nn.ReLU(), torch.relu: nn.ReLU, torch.tanh: nn.Tanh,
    functional.max_pool2d: nn.MaxPool2d, torch.max_pool2d: nn.MaxPool2d,
    functional.max_pool1d: nn.MaxPool1d, torch.max_pool1d: nn.MaxPool1d,
    functional.adaptive_avg_pool2d: nn.AdaptiveAvgPool2d, functional.avg_pool2d: nn.AvgPool2d,
    functional.adaptive_avg_pool1d: nn.AdaptiveAvgPool1d, functional.avg_pool1d: nn.AvgPool1d,
    torch.flatten: nn.Flatten,
    functional.dropout: lambda p=0.5, training=True, inplace=False: nn.Dropout(p),
}  # fmt: skip
"""Functions, and the layers that do the same."""
METHODS: dict[str, Callable[..., nn.Module]] = {"relu": nn.ReLU, "tanh": nn.Tanh, "flatten": nn.Flatten}
