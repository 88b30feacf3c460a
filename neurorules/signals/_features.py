"""Features of a population for comparisons and local read-outs: its neurons, or its maps averaged to at most 4 x 4."""

from __future__ import annotations

from math import prod

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

SIDE = 4
"""Largest side of a pooled map. Source: a prototype, in which sides of 7 and 14 gave the first layer targets that it
could not reach."""


def feature_shape(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Shape of the features: that of a flat population (N,), or of pooled maps (C, H, W) with sides of at most
    `SIDE`."""
    return shape if len(shape) == 1 else (shape[0], min(shape[1], SIDE), min(shape[2], SIDE))


def feature_count(shape: tuple[int, ...]) -> int:
    """Number of features of a population."""
    return prod(feature_shape(shape))


def to_features(activity: Float[Tensor, "B *shape"]) -> Float[Tensor, "B F"]:
    """The F features of each row of activity."""
    if activity.ndim == 2:
        return activity
    _, height, width = feature_shape(tuple(activity.shape[1:]))
    return functional.adaptive_avg_pool2d(activity, (height, width)).flatten(1)


def from_features(gradient: Float[Tensor, "B F"], shape: tuple[int, ...]) -> Float[Tensor, "B *shape"]:
    """Carry derivatives by the features back to the neurons: the adjoint of `to_features`.

    Args:
        gradient: derivatives by the features, (B, F).
        shape: of the population.

    Returns:
        Derivatives by the activity of the neurons, (B, *shape).
    """
    if len(shape) == 1:
        return gradient
    channels, height, width = feature_shape(shape)
    maps = gradient.reshape(-1, channels, height, width)
    rows = _windows(shape[1], height, gradient)
    columns = _windows(shape[2], width, gradient)
    return rows.T @ maps @ columns


def lengths(rows: Float[Tensor, "R F"], silent: float) -> Float[Tensor, "R 1"]:
    """The Euclidean length of each row of features.

    Args:
        rows: the features.
        silent: the length that a row counts as which is 0 throughout, > 0.

    Returns:
        The lengths, all above 0.
    """
    length = torch.linalg.vector_norm(rows, dim=1, keepdim=True)
    return torch.where(length > 0, length, silent)


def _windows(size: int, cells: int, like: Tensor) -> Float[Tensor, "cells size"]:
    """The windows over which adaptive pooling averages, one per row of a matrix; each row sums to 1."""
    matrix = like.new_zeros(cells, size)
    for cell in range(cells):
        first, last = cell * size // cells, -(-(cell + 1) * size // cells)
        matrix[cell, first:last] = 1 / (last - first)
    return matrix
