"""Which synapses a connection or a pool has: the neuron at each end, and the element of the parameter that it is."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

import numpy as np

from neurorules.connections._matrix import Matrix
from neurorules.connections.conv2d import Conv2d
from neurorules.language.errors import UserError
from neurorules.network.layer import Input, Layer
from neurorules.transforms.dropout import Dropout
from neurorules.transforms.flatten import Flatten
from neurorules.transforms.pool import Pool

Shape = tuple[int, ...]


@dataclass(frozen=True)
class Wiring:
    """Synapses, flat indices throughout.

    Args:
        pre, post: neuron at each end, (n,) each.
        element: of the parameter, (n,).
        shape: of the parameter.
    """

    pre: np.ndarray
    post: np.ndarray
    element: np.ndarray
    shape: Shape

    @property
    def shared(self) -> bool:
        """Whether several synapses are one element of the parameter."""
        return len(self.element) > prod(self.shape)

    def gathered(self, values: np.ndarray) -> np.ndarray:
        """A value a synapse (n,), summed over those that share an element: shaped like the parameter."""
        return np.bincount(self.element, weights=values, minlength=prod(self.shape)).reshape(self.shape)

    def product(self, weights: np.ndarray, rows: np.ndarray, size: int) -> np.ndarray:
        """What rows (B, I) bring through weights (n,): (B, size)."""
        found = np.zeros((len(rows), size))
        for row, activity in zip(found, rows, strict=True):
            np.add.at(row, self.post, weights * activity[self.pre])
        return found


def wiring_of(layer: Layer, entry: Input) -> Wiring:
    """The synapses of one of a layer's inputs.

    Raises:
        UserError: a connection that has no lowering.
    """
    connection = entry.connection
    if isinstance(connection, Conv2d):
        return _convolution(connection, entry.pre_shape, layer.shape)
    if not isinstance(connection, Matrix):
        raise UserError(
            f"connection '{entry.name}' of layer '{layer.name}' is a {type(connection).__name__}; the Brian2 path runs "
            f"dense, recurrent and conv2d connections. Use --path torch, or a net of those"
        )
    post, pre = prod(layer.shape), prod(entry.pre_shape)
    places = np.arange(post * pre)
    return Wiring(places % pre, places // pre, places, (post, pre))


def _convolution(connection: Conv2d, pre: Shape, post: Shape) -> Wiring:
    """One synapse for each weight of the kernel that falls on a neuron of the maps below."""
    kernel = (*post, pre[0], connection.kernel, connection.kernel)
    o, row, column, c, down, across = np.indices(kernel).reshape(6, -1)
    y = row * connection.stride - connection.zeros_around + down
    x = column * connection.stride - connection.zeros_around + across
    inside = (y >= 0) & (y < pre[1]) & (x >= 0) & (x < pre[2])
    below = np.ravel_multi_index((c, y.clip(0, pre[1] - 1), x.clip(0, pre[2] - 1)), pre)
    above = np.ravel_multi_index((o, row, column), post)
    shape = (post[0], *kernel[3:])
    element = np.ravel_multi_index((o, c, down, across), shape)
    return Wiring(below[inside], above[inside], element[inside], shape)


def pools_of(layer: Layer, entry: Input, learning: bool) -> tuple[tuple[Pool, Shape], ...]:
    """Pools that an input passes on its way, with the shape of what each reads.

    Args:
        layer: whose input it is.
        entry: the input.
        learning: whether the layer learns, for which no mask of dropout is known.

    Raises:
        UserError: a transform that has no lowering.
    """
    found: list[tuple[Pool, Shape]] = []
    shape = entry.source_shape
    for transform in entry.transforms:
        if isinstance(transform, Pool):
            found.append((transform, shape))
        elif not isinstance(transform, Flatten) and (learning or not isinstance(transform, Dropout)):
            raise UserError(
                f"connection '{entry.name}' of layer '{layer.name}' reads its source through "
                f"{type(transform).__name__}, which the Brian2 path does not run"
                f"{' while it learns' if isinstance(transform, Dropout) else ''}. Use --path torch"
            )
        shape = transform.post_shape(shape)
    return tuple(found)


def pooled(pool: Pool, shape: Shape) -> Wiring:
    """Each neuron of the maps below to the cell that it falls into."""
    cells = pool.post_shape(shape)
    c, y, x = np.indices(shape).reshape(3, -1)
    inside = (y // pool.size < cells[1]) & (x // pool.size < cells[2])
    c, y, x = c[inside], y[inside], x[inside]
    return Wiring(
        np.ravel_multi_index((c, y, x), shape),
        np.ravel_multi_index((c, y // pool.size, x // pool.size), cells),
        np.zeros(len(c), dtype=int),
        (1,),
    )
