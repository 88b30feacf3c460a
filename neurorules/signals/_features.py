"""Features of a population for comparisons and local read-outs: its neurons, or its maps averaged to at most 4 x 4."""

from __future__ import annotations

from math import prod

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

SIDE = 4
"""Largest side of a pooled map. Source: our own trials, in which the first layer could not reach targets with sides of
7 and 14."""


def feature_shape(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Shape of the features: (N,) for a flat population, or (C, H, W) for pooled maps with sides of at most `SIDE`."""
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
    """Carry derivatives with respect to the features back to the neurons: the adjoint of `to_features`.

    Args:
        gradient: derivatives with respect to the features, (B, F).
        shape: the shape of the population.

    Returns:
        Derivatives with respect to the activity of the neurons, (B, *shape).
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
        silent: the length to return for a row of zeros, > 0.

    Returns:
        The lengths, all above 0.
    """
    length = torch.linalg.vector_norm(rows, dim=1, keepdim=True)
    return torch.where(length > 0, length, silent)


def _windows(size: int, cells: int, like: Tensor) -> Float[Tensor, "cells size"]:
    """The windows of adaptive average pooling as rows of a matrix; each row sums to 1."""
    matrix = like.new_zeros(cells, size)
    for cell in range(cells):
        first, last = cell * size // cells, -(-(cell + 1) * size // cells)
        matrix[cell, first:last] = 1 / (last - first)
    return matrix
