"""List the synapses of a connection or a pool: the neuron at each end, and the element of the parameter they read."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

import numpy as np

from neurorules.connections._convolution import Convolution
from neurorules.connections._products import Matrix
from neurorules.connections.recurrent_single import RecurrentSingle
from neurorules.language.errors import UserError
from neurorules.network.layer import Input, Layer
from neurorules.transforms.dropout import Dropout
from neurorules.transforms.flatten import Flatten
from neurorules.transforms.one_row import OneRow
from neurorules.transforms.pool import Pool

Shape = tuple[int, ...]


@dataclass(frozen=True)
class Wiring:
    """The n synapses of a connection; neurons and elements are flat indices.

    Args:
        pre, post: index of the neuron at each end, (n,) each.
        element: index of the element of the parameter that is the synapse's weight, (n,).
        shape: shape of the parameter.
    """

    pre: np.ndarray
    post: np.ndarray
    element: np.ndarray
    shape: Shape

    @property
    def shared(self) -> bool:
        """Whether several synapses share one element of the parameter."""
        return len(self.element) > prod(self.shape)

    def sum_shared(self, values: np.ndarray) -> np.ndarray:
        """Sum values of synapses (n,) over those that share an element; the result has the parameter's shape."""
        return np.bincount(self.element, weights=values, minlength=prod(self.shape)).reshape(self.shape)

    def product(self, weights: np.ndarray, rows: np.ndarray, size: int) -> np.ndarray:
        """Compute the current that presynaptic activity brings.

        Args:
            weights: weight of each synapse, (n,).
            rows: presynaptic activity, (B, I).
            size: number of postsynaptic neurons N.

        Returns:
            Currents (B, N).
        """
        currents = np.zeros((len(rows), size))
        for current, activity in zip(currents, rows, strict=True):
            np.add.at(current, self.post, weights * activity[self.pre])
        return currents


def wiring_of(layer: Layer, afferent: Input) -> Wiring:
    """List the synapses of a connection that brings input to a layer.

    Args:
        layer: the postsynaptic layer.
        afferent: one of its inputs.

    Returns:
        The synapses, whose presynaptic indices count behind the pools.

    Raises:
        UserError: the connection is neither dense, recurrent nor a convolution without pool.
    """
    connection = afferent.connection
    if connection.delay > 1:
        raise UserError(
            f"connection '{afferent.name}' of layer '{layer.name}' delivers after {connection.delay} steps, and "
            f"recurrent connections in Brian2 after one. Use a run whose net has no delays, such as r100"
        )
    if isinstance(connection, Convolution) and connection.pools == (1, 1):
        return _convolution(connection, afferent.pre_shape, layer.shape)
    if isinstance(connection, RecurrentSingle):
        places = np.arange(prod(layer.shape))
        return Wiring(places, places, places, (len(places),))
    if not isinstance(connection, Matrix):
        raise UserError(
            f"connection '{afferent.name}' of layer '{layer.name}' is a {type(connection).__name__}; the Brian2 path "
            f"runs dense, recurrent and convolutional connections. Use a run whose net has those alone"
        )
    post, pre = prod(layer.shape), prod(afferent.pre_shape)
    places = np.arange(post * pre)
    return Wiring(places % pre, places // pre, places, (post, pre))


def _convolution(connection: Convolution, pre: Shape, post: Shape) -> Wiring:
    """List one synapse for each weight of the kernel that falls on a presynaptic neuron and not beyond the border."""
    kernel = (*post, pre[0] // connection.groups, *connection.sides)
    o, row, column, c, down, across = np.indices(kernel).reshape(6, -1)
    y = row * connection.strides[0] - connection.borders[0] + down * connection.dilations[0]
    x = column * connection.strides[1] - connection.borders[1] + across * connection.dilations[1]
    inside = (y >= 0) & (y < pre[1]) & (x >= 0) & (x < pre[2])
    read = o // (post[0] // connection.groups) * kernel[3] + c  # the map that map c of the kernel's group is
    below = np.ravel_multi_index((read, y.clip(0, pre[1] - 1), x.clip(0, pre[2] - 1)), pre)
    above = np.ravel_multi_index((o, row, column), post)
    shape = (post[0], *kernel[3:])
    element = np.ravel_multi_index((o, c, down, across), shape)
    return Wiring(below[inside], above[inside], element[inside], shape)


def pools_of(layer: Layer, afferent: Input, learning: bool) -> tuple[tuple[Pool, Shape], ...]:
    """List the pools that spikes pass before a connection.

    Args:
        layer: the postsynaptic layer.
        afferent: one of its inputs.
        learning: whether the layer learns. It then cannot have dropout, whose masks Brian2 does not draw.

    Returns:
        Each pool with the shape of the population that it reads, in order.

    Raises:
        UserError: spikes pass a transform that is neither a pool nor a change of shape, or dropout while learning.
    """
    pools: list[tuple[Pool, Shape]] = []
    shape = afferent.source_shape
    for transform in afferent.transforms:
        if isinstance(transform, Pool):
            pools.append((transform, shape))
        elif not isinstance(transform, Flatten | OneRow) and (learning or not isinstance(transform, Dropout)):
            raise UserError(
                f"connection '{afferent.name}' of layer '{layer.name}' reads its source through "
                f"{type(transform).__name__}, which the Brian2 path does not run"
                f"{' while it learns' if isinstance(transform, Dropout) else ''}. Use a run whose net has none"
            )
        shape = transform.post_shape(shape)
    return tuple(pools)


def pooled(pool: Pool, shape: Shape) -> Wiring:
    """List the synapses that fill a pool: each neuron is joined to the window it lies in.

    Args:
        pool: the pool.
        shape: shape (C, H, W) of the maps that it reads.

    Returns:
        The synapses, which share one weight. Neurons behind the last whole window have none.
    """
    cells = pool.post_shape(shape)
    c, y, x = np.indices(shape).reshape(3, -1)
    row, column = y // pool.sides[0], x // pool.sides[1]
    inside = (row < cells[1]) & (column < cells[2])
    c, y, x, row, column = (places[inside] for places in (c, y, x, row, column))
    return Wiring(
        np.ravel_multi_index((c, y, x), shape),
        np.ravel_multi_index((c, row, column), cells),
        np.zeros(len(c), dtype=int),
        (1,),
    )
