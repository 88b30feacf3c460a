"""Numbers of a node, checked and brought into the shape of a population."""

from __future__ import annotations

import numpy as np

from neurorules.contracts.connection import Shape
from neurorules.language.errors import UserError


def like_population(value: np.ndarray, shape: Shape) -> np.ndarray | None:
    """Numbers of a population in its shape: an axis of 1, such as that of a batch, may stand more or less.

    Args:
        value: one number for each neuron, or of an axis of 1 for all along it.
        shape: shape of the population.

    Returns:
        The numbers, of the population's shape; None where the shapes do not agree.
    """
    if value.shape == shape:
        return value
    if [side for side in value.shape if side > 1] == [side for side in shape if side > 1]:
        return value.reshape(shape)
    if value.ndim == len(shape) and all(a in (1, b) for a, b in zip(value.shape, shape, strict=True)):
        return np.broadcast_to(value, shape).copy()
    return None


def finite(value: np.ndarray, at: str, name: str) -> np.ndarray:
    """Numbers as they are, where all of them are numbers and finite.

    Args:
        value: numbers of a node.
        at: names the node in messages.
        name: name of the numbers.

    Returns:
        The same numbers.

    Raises:
        UserError: no numbers, NaN, an infinite value, or what is no real number.
    """
    if not value.size:
        raise UserError(f"{at} has a {name} without numbers, of shape {value.shape}. Give it some")
    real = np.issubdtype(value.dtype, np.number) and not np.iscomplexobj(value)
    if not (real or value.dtype == bool) or not np.all(np.isfinite(value)):
        raise UserError(f"{at} has a {name} that holds NaN, infinite values or no real numbers. Give it finite ones")
    return value


def by_map(value: np.ndarray, at: str) -> np.ndarray:
    """One number for each map, of numbers that are the same all over a map.

    Args:
        value: numbers (C, H, W).
        at: names the node in messages.

    Returns:
        The numbers (C,).

    Raises:
        UserError: a map has several numbers.
    """
    first = value[:, 0, 0]
    if not np.all(value == first[:, None, None]):
        raise UserError(
            f"{at} scales the neurons of a map by several numbers, and they share weights. Give each map one"
        )
    return first
