"""Comparing tensors, one at a time or in whatever an entry keeps them in."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from neurorules.conformance.suite import demand

CLOSE = 1e-9
"""Largest relative difference of float64 results that differ in the order of their sums alone."""


def seeded(seed: int = 0) -> torch.Generator:
    """A generator on the CPU."""
    return torch.Generator().manual_seed(seed)


def normal(generator: torch.Generator, *shape: int) -> Tensor:
    """Standard normal numbers in float64."""
    return torch.randn(*shape, generator=generator, dtype=torch.float64)


def tensors_in(value: Any, name: str = "") -> Iterator[tuple[str, Tensor]]:
    """Every tensor in a value with its place: in mappings, tuples of any type, lists and dataclasses, however deep.

    Args:
        value: a tensor, or anything that holds some.
        name: the place of the value itself.
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
    """Copies of all tensors in a value, by place."""
    return {name: tensor.clone() for name, tensor in tensors_in(value)}


def equal(one: Any, other: Any) -> bool:
    """Whether two values hold the same tensors, to the bit, at the same places."""
    first, second = dict(tensors_in(one)), dict(tensors_in(other))
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


def difference(one: Tensor, other: Tensor) -> float:
    """Largest difference of two tensors, relative to their largest value; infinite where shapes differ."""
    if one.shape != other.shape:
        return float("inf")
    if one.numel() == 0:
        return 0.0
    scale = max(float(one.abs().max()), float(other.abs().max()), 1e-300)
    worst = float((one - other).abs().max()) / scale
    return worst if worst == worst else float("inf")


def demand_close(one: Tensor, other: Tensor, demands: str, advice: str, tolerance: float = CLOSE) -> None:
    """Raise a breach where two tensors differ by more than a share of their largest value.

    Args:
        one, other: tensors of any shape.
        demands: what the contract demands.
        advice: what to do.
        tolerance: of the relative difference, >= 0.

    Raises:
        Breach: they differ by more.
    """
    apart = difference(one, other)
    observed = f"shapes are {tuple(one.shape)} and {tuple(other.shape)}"
    if one.shape == other.shape:
        observed = f"they differ by {apart:.2g} of the largest value"
    demand(apart <= tolerance, demands, observed, advice)


def session_state() -> tuple[Any, ...]:
    """What a library must leave alone: the global generators of NumPy and torch, and torch's default type."""
    numpy_state = np.random.get_state()  # noqa: NPY002 - this global generator is what is looked at
    return str(numpy_state), torch.random.get_rng_state().tolist(), torch.get_default_dtype()


def demand_session_left_alone(act: Callable[[], Any], what: str) -> None:
    """Raise a breach where something draws from a global generator, or sets torch's default type.

    Args:
        act: does it.
        what: names it.

    Raises:
        Breach: the session is not as it was.
    """
    before = session_state()
    act()
    demand(
        session_state() == before, f"{what} leaves the user's session alone",
        "a global random generator or torch's default type moved", "Draw from the generator that is handed in",
    )  # fmt: skip
