"""Compare tensors, one at a time or all those that a larger object holds."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from neurorules.conformance.suite import demand

CLOSE = 1e-9
"""Largest relative difference of results in float64 that differ only in the order of their sums."""


def seeded(seed: int = 0) -> torch.Generator:
    """Make a generator on the CPU with a seed."""
    return torch.Generator().manual_seed(seed)


def normal(generator: torch.Generator, *shape: int) -> Tensor:
    """Draw standard normal numbers in float64.

    Args:
        generator: the generator of the draws.
        shape: the shape of the result.

    Returns:
        A tensor of this shape in float64.
    """
    return torch.randn(*shape, generator=generator, dtype=torch.float64)


def tensors_in(value: Any, name: str = "") -> Iterator[tuple[str, Tensor]]:
    """Find all tensors in a value, at any depth of mappings, tuples, lists and dataclasses.

    Args:
        value: a tensor, or an object that may hold tensors.
        name: place of the value itself, which begins all others.

    Returns:
        Each tensor with its place, such as ".membrane" or ".0.mean".
    """
    if isinstance(value, Tensor):
        yield name, value
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield from tensors_in(item, f"{name}.{key}")
    elif isinstance(value, tuple | list):
        labels = getattr(type(value), "_fields", range(len(value)))
        for label, item in zip(labels, value, strict=True):
            yield from tensors_in(item, f"{name}.{label}")
    elif is_dataclass(value) and not isinstance(value, type):
        for each in fields(value):
            yield from tensors_in(getattr(value, each.name), f"{name}.{each.name}")


def copied(value: Any) -> dict[str, Tensor]:
    """Copy all tensors in a value, by their place."""
    return {name: tensor.clone() for name, tensor in tensors_in(value)}


def equal(one: Any, other: Any) -> bool:
    """Compare all tensors in two values.

    Args:
        one, other: values as `tensors_in` takes them.

    Returns:
        True where they hold tensors at the same places, of the same shapes and bits.
    """
    first, second = dict(tensors_in(one)), dict(tensors_in(other))
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


def difference(one: Tensor, other: Tensor) -> float:
    """Measure how far two tensors are apart.

    Args:
        one, other: tensors of any shape.

    Returns:
        The largest absolute difference of their elements divided by the largest absolute element of both; infinity
        where shapes differ or a difference is no number.
    """
    if one.shape != other.shape:
        return float("inf")
    if one.numel() == 0:
        return 0.0
    scale = max(float(one.abs().max()), float(other.abs().max()), 1e-300)
    worst = float((one - other).abs().max()) / scale
    return worst if worst == worst else float("inf")


def demand_close(one: Tensor, other: Tensor, demands: str, advice: str, tolerance: float = CLOSE) -> None:
    """Demand that two tensors are close to each other.

    Args:
        one, other: tensors of any shape.
        demands: what the contract demands, as the beginning of a sentence.
        advice: what to do, as a sentence.
        tolerance: largest `difference` that is allowed, >= 0.

    Raises:
        Breach: they differ by more, or their shapes differ.
    """
    apart = difference(one, other)
    observed = f"shapes are {tuple(one.shape)} and {tuple(other.shape)}"
    if one.shape == other.shape:
        observed = f"they differ by {apart:.2g} of the largest value"
    demand(apart <= tolerance, demands, observed, advice)


def session_state() -> tuple[Any, ...]:
    """Read the state that a library must not change: NumPy's and torch's global generators and torch's default type."""
    numpy_state = np.random.get_state()  # noqa: NPY002 - The check is about this global generator.
    return str(numpy_state), torch.random.get_rng_state().tolist(), torch.get_default_dtype()


def demand_session_left_alone(act: Callable[[], Any], what: str) -> None:
    """Demand that a call draws from no global generator, and leaves torch's default type as it was.

    Args:
        act: function that is called.
        what: the name of the function in a message.

    Raises:
        Breach: a global generator or the default type changed.
    """
    before = session_state()
    act()
    demand(
        session_state() == before, f"{what} leaves the user's session alone",
        "a global random generator or torch's default type moved", "Draw from the generator that is handed in",
    )  # fmt: skip
