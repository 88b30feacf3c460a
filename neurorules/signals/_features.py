"""Features of a population for comparisons and local read-outs: itself, or its maps averaged to at most 4 x 4."""

from __future__ import annotations

from math import prod

from torch import Tensor
from torch.nn import functional

SIDE = 4
"""Largest side of a pooled map. Source: specs of the prototype; 7 and 14 gave layer 1 targets it could not reach."""


def feature_shape(shape: tuple[int, ...]) -> tuple[int, ...]:
    """(N,) as it is; (C, H, W) pooled."""
    return shape if len(shape) == 1 else (shape[0], min(shape[1], SIDE), min(shape[2], SIDE))


def feature_count(shape: tuple[int, ...]) -> int:
    """Number of features of a population."""
    return prod(feature_shape(shape))


def to_features(activity: Tensor) -> Tensor:
    """(rows, *shape) to (rows, features)."""
    if activity.ndim == 2:
        return activity
    _, height, width = feature_shape(tuple(activity.shape[1:]))
    return functional.adaptive_avg_pool2d(activity, (height, width)).flatten(1)


def from_features(gradient: Tensor, shape: tuple[int, ...]) -> Tensor:
    """The adjoint of `to_features`: (rows, features) to (rows, *shape)."""
    if len(shape) == 1:
        return gradient
    channels, height, width = feature_shape(shape)
    maps = gradient.reshape(-1, channels, height, width)
    rows = _windows(shape[1], height, gradient)
    columns = _windows(shape[2], width, gradient)
    return rows.T @ maps @ columns


def _windows(size: int, cells: int, like: Tensor) -> Tensor:
    """Averaging windows of adaptive pooling: (cells, size), each row summing to 1."""
    matrix = like.new_zeros(cells, size)
    for cell in range(cells):
        first, last = cell * size // cells, -(-(cell + 1) * size // cells)
        matrix[cell, first:last] = 1 / (last - first)
    return matrix
