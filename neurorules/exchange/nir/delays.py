"""A Delay between populations, as a line of neurons without memory along which values move one place in each step.

The line has one stage more than the longest delay has steps. A fixed recurrent connection carries the values of a stage
to the next one, a step later. What arrives enters the first stage, and each neuron is read at the stage of its delay.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from neurorules.connections.conv2d import Conv2d
from neurorules.connections.dense import Dense
from neurorules.connections.recurrent import Recurrent
from neurorules.connections.recurrent_conv2d import RecurrentConv2d
from neurorules.contracts.connection import Connection, Shape
from neurorules.exchange.nir.numbers import by_map, like_population
from neurorules.language.errors import UserError

LARGEST_LINE = 8192
"""Most neurons, or maps, of a line of flat neurons: a recurrent matrix of them holds 256 MB in single precision."""


class Stage(NamedTuple):
    """A fixed connection of a delay line, with its weights.

    Args:
        connection: a matrix, or a convolution of one pixel.
        weights: 0 or 1, shaped like the connection's own.
    """

    connection: Connection
    weights: np.ndarray


class DelayLine(NamedTuple):
    """The two populations that a Delay becomes: the line, and what is read of it.

    Args:
        shape: shape of the line.
        entry: the connection from what is delayed into the first stage.
        onward: the connection from each stage to the next one, a step later.
        exit: the connection from the line to the delayed values.
    """

    shape: Shape
    entry: Stage
    onward: Stage
    exit: Stage


def delay_line(steps: np.ndarray, shape: Shape, at: str) -> DelayLine:
    """The populations of a Delay.

    Args:
        steps: delay of each neuron in whole steps >= 0, () or (*shape); the same within a map.
        shape: shape of what is delayed, (N,) or (C, H, W).
        at: names the node in messages.

    Returns:
        The line and its connections.

    Raises:
        UserError: delays of another shape, several within a map, or a line that is too long.
    """
    own = np.broadcast_to(steps, shape) if steps.size == 1 else like_population(steps, shape)
    if own is None:
        raise UserError(f"{at} has delays of shape {steps.shape}, and gets shape {shape}. Make them the same")
    each = by_map(own, at) if len(shape) == 3 else own
    size, stages = len(each), int(each.max()) + 1
    places = size * stages
    if places > LARGEST_LINE:
        raise UserError(
            f"{at} delays {size} values by up to {stages - 1} steps, and {places} places are more than the "
            f"{LARGEST_LINE} that are kept here. Delay fewer neurons, or use longer steps (net.nir:dt=)"
        )
    entry = np.eye(places, size)
    onward = np.eye(places, k=-size)
    exit_ = np.zeros((size, places))
    exit_[np.arange(size), each * size + np.arange(size)] = 1
    if len(shape) == 1:
        return DelayLine(
            (places,), Stage(Dense(places), entry), Stage(Recurrent(places), onward), Stage(Dense(size), exit_)
        )
    entry, onward, exit_ = (one[:, :, None, None] for one in (entry, onward, exit_))
    return DelayLine(
        (places, *shape[1:]),
        Stage(Conv2d(places, 1, 1, "valid"), entry),
        Stage(RecurrentConv2d(places, (1, 1)), onward),
        Stage(Conv2d(size, 1, 1, "valid"), exit_),
    )
