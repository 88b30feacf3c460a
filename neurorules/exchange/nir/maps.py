"""Nodes without a state as one connection, with what happens to spikes before it."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import prod
from typing import Any

import numpy as np

from neurorules.connections._convolution import Convolution
from neurorules.connections.conv2d import Conv2d
from neurorules.connections.dense import Dense
from neurorules.connections.recurrent import Recurrent
from neurorules.connections.recurrent_single import RecurrentSingle
from neurorules.contracts.connection import Connection, Shape
from neurorules.contracts.transform import Transform
from neurorules.exchange.nir.file import metadata_of
from neurorules.exchange.nir.kinds import CONVOLUTIONS, DENSE, POOLS, kind_of
from neurorules.exchange.nir.numbers import by_map, finite, like_population
from neurorules.exchange.nir.options import Clock, steps_of
from neurorules.exchange.nir.windows import Window, convolution, pooled, window_of
from neurorules.language.errors import UserError
from neurorules.transforms.flatten import Flatten
from neurorules.transforms.one_row import OneRow
from neurorules.transforms.pool import Pool

FROZEN = "frozen"
"""Name in a node's metadata: which of "weight bias" stay as they are while the net learns."""
LARGEST_IDENTITY = 4096
"""Most neurons of a flat population that reads another one without weights: their one-to-one matrix is stored whole."""


@dataclass
class Map:
    """Collects the nodes of one way into one connection, from the source on.

    Args:
        where: names the graph in messages.
        shape: shape of the values behind the nodes that were followed so far.
        clock: how the graph's time runs.
        loop: whether the way leads from a population to itself.
        transforms: before the connection.
        connection: None until a node with weights has come.
        pre_shape: that the connection reads.
        weights: weights of the connection, shaped like its own.
        bias: one for each neuron or map; None for none.
        columns: the factor of the activity before the connection, one number or one for each neuron.
        scale_fixed: which numbers of a Scale stay as they are, where it is all that leads from a population to itself.
        fixed: which of "weight" and "bias" stay as they are while the net learns.
        last: name of the node with weights.
    """

    where: str
    shape: Shape
    clock: Clock
    loop: bool
    transforms: list[Transform] = field(default_factory=list)
    connection: Connection | None = None
    pre_shape: Shape = ()
    weights: np.ndarray = field(default_factory=lambda: np.zeros(()))
    bias: np.ndarray | None = None
    columns: float | np.ndarray = 1.0
    scale_fixed: tuple[str, ...] = ("weight",)
    fixed: tuple[str, ...] = ()
    last: str = ""

    def follow(self, name: str, node: Any, biased: bool = True) -> None:
        """Follow the path through one node of the graph. A dense map behind a dense one is multiplied into it.

        Args:
            name: name of the node.
            node: a node of NIR.
            biased: whether its bias counts; another path to the same population may have brought it already.

        Raises:
            UserError: nothing here does what it does; it is named.
        """
        kind = kind_of(node)
        at = f"{self.where}: node '{name}' ({kind})"
        if kind in (*DENSE, *CONVOLUTIONS):
            self.last, self.fixed = name, self._frozen(node, ())
            (self._dense if kind in DENSE else self._convolution)(at, node, biased)
        elif kind == "Scale":
            self._scale(at, node)
        elif kind in POOLS:
            self._pool(at, name, node, kind == "SumPool2d")
        elif kind == "Flatten":
            self._flatten(at)
        elif kind == "Delay":
            self._delay(at, node)
        else:
            raise UserError(f"{at} has no counterpart here: populations are flat, or maps (C, H, W). Replace it")

    def end(self, at: str) -> None:
        """Close the path: nodes without weights become a one-to-one connection.

        Args:
            at: names the population that is reached in messages.

        Raises:
            UserError: a shape that no population here has, or one too large for a one-to-one connection.
        """
        if self.connection is not None:
            return
        if len(self.shape) == 2:
            self._one_row(at)
        self.pre_shape = self.shape
        if self.loop:
            self._read_itself(at)
            return
        self.fixed = ("weight",)
        if len(self.shape) == 3:
            self.connection = Conv2d(self.shape[0], 1, 1, "valid")
            self.weights = np.eye(self.shape[0])[:, :, None, None]
        elif len(self.shape) == 1 and self.shape[0] <= LARGEST_IDENTITY:
            self.connection = Dense(self.shape[0])
            self.weights = np.eye(self.shape[0])
        else:
            raise UserError(
                f"{at} reads shape {self.shape} without weights. Populations here are flat with up to "
                f"{LARGEST_IDENTITY} neurons in such a place, or maps (C, H, W). Put a Flatten behind the neurons"
            )
        self._multiply_columns(at)

    def _read_itself(self, at: str) -> None:
        """A population that reads its own spikes, each neuron its own alone."""
        if len(self.shape) not in (1, 3):
            raise UserError(f"{at} reads shape {self.shape}. Populations here are flat, or maps (C, H, W)")
        self.connection = RecurrentSingle(self.shape[0])
        self.weights = np.broadcast_to(self.columns, self.shape).reshape(-1).astype(np.float64)
        self.fixed = self.scale_fixed

    def _dense(self, at: str, node: Any, biased: bool) -> None:
        weights = finite(np.asarray(node.weight), at, "weight")
        if weights.ndim != 2:
            raise UserError(f"{at} has weights of shape {weights.shape}. Give it (outputs, inputs)")
        if len(self.shape) != 1 and prod(self.shape) == weights.shape[1]:
            self._flatten(at)
        if self.shape != weights.shape[1:]:
            raise UserError(f"{at} reads {weights.shape[1]} values, and gets shape {self.shape}. Make them the same")
        size = weights.shape[0]
        if self.loop and size != weights.shape[1] and self.connection is None:
            raise UserError(f"{at} feeds {weights.shape[1]} neurons back to {size}. Make them the same")
        bias = getattr(node, "bias", None) if biased else None
        if self.connection is not None:
            before = self.weights if self.bias is None else np.column_stack((self.weights, self.bias))
            both = weights.astype(np.float64) @ before
            weights, own = both[:, : self.weights.shape[1]], both[:, self.weights.shape[1] :].sum(1)
            bias = (own if bias is None else bias + own) if self.bias is not None else bias
            self.shape, self.columns, self.bias = self.pre_shape, 1.0, None
        self._take(at, Recurrent(size) if self.loop else Dense(size), weights, bias)

    def _convolution(self, at: str, node: Any, biased: bool) -> None:
        weights, window = finite(np.asarray(node.weight), at, "weight"), window_of(node, at)
        if kind_of(node) == "Conv1d" and len(self.shape) in (2, 3):
            self._one_row(at)
        below = weights.shape[1] * window.groups
        if len(self.shape) != 3 or self.shape[0] != below or weights.shape[0] % window.groups:
            sides = "length" if kind_of(node) == "Conv1d" else "height, width"
            groups = "" if window.groups == 1 else f" in {window.groups} groups"
            raise UserError(f"{at} reads maps ({below}, {sides}){groups}, and gets shape {self.shape}. Make them agree")
        whole = weights.reshape(*weights.shape[:2], *window.sides)
        connection = convolution(window, len(whole), self.loop, at)
        self._take(at, connection, whole, getattr(node, "bias", None) if biased else None)

    def _one_row(self, at: str) -> None:
        """Read lines (C, L) as maps of one row (C, 1, L)."""
        if len(self.shape) == 3 and self.shape[0] != 1:
            return
        if len(self.shape) == 3 and self.shape[1] == 1:
            return
        if isinstance(self.columns, np.ndarray) and self.columns.ndim > 0:
            self.columns = self.columns.reshape(OneRow().post_shape(self.shape))
        row = OneRow()
        self.shape = row.post_shape(self.shape)
        self.transforms.append(row)

    def _frozen(self, node: Any, silent: tuple[str, ...]) -> tuple[str, ...]:
        """Which of a node's numbers do not learn, by its metadata; `silent` where these say nothing."""
        stated = metadata_of(node).get(FROZEN)
        return silent if stated is None else tuple(str(stated).split())

    @property
    def closed_connection(self) -> Connection:
        """The connection of a path that `end` has closed.

        Raises:
            LookupError: it is not closed.
        """
        if self.connection is None:
            raise LookupError(f"{self.where}: a path that is not closed has no connection yet")
        return self.connection

    def _take(self, at: str, connection: Connection, weights: np.ndarray, bias: Any) -> None:
        self.connection, self.pre_shape = connection, self.shape
        self.weights = weights if np.issubdtype(weights.dtype, np.floating) else weights.astype(np.float64)
        if bias is not None:
            self.bias = finite(np.asarray(bias), at, "bias").reshape(-1)
            if self.bias.shape != weights.shape[:1]:
                raise UserError(
                    f"{at} has a bias of {self.bias.size} numbers, and {weights.shape[0]} outputs. Give each one number"
                )
        self._multiply_columns(at)
        self.shape = self._after(at, connection, self.shape)

    def _after(self, at: str, part: Connection | Transform, before: Shape) -> Shape:
        try:
            return part.post_shape(before)
        except UserError as error:
            raise UserError(f"{at}: {error}") from None

    def _multiply_columns(self, at: str) -> None:
        scale = self.columns
        if isinstance(scale, np.ndarray) and scale.ndim == 3:
            of_map = by_map(scale, at)
            groups = self.connection.groups if isinstance(self.connection, Convolution) else 1
            own = np.repeat(of_map.reshape(groups, -1), len(self.weights) // groups, axis=0)
            scale = own[:, :, None, None]
        if not np.all(scale == 1.0):
            self.weights = self.weights.astype(np.float64) * scale

    def _scale(self, at: str, node: Any) -> None:
        stated = finite(np.asarray(node.scale, dtype=np.float64), at, "scale")
        scale = stated.reshape(()) if stated.size == 1 else like_population(stated, self.shape)
        if scale is None:
            raise UserError(
                f"{at} has a scale of shape {np.shape(node.scale)}, and gets shape {self.shape}. Make them the same"
            )
        if self.connection is None:
            self.columns, self.scale_fixed = self.columns * scale, self._frozen(node, ("weight",))
            return
        self.multiply_rows(by_map(scale, at) if scale.ndim == 3 else scale.reshape(-1))

    def multiply_rows(self, gain: np.ndarray) -> None:
        """Multiply what the connection brings, weights and bias.

        Args:
            gain: one number, or one for each neuron or map.
        """
        if np.all(gain == 1.0):
            return
        if isinstance(self.connection, RecurrentSingle) and gain.size > 1:
            gain = np.repeat(gain, self.weights.size // gain.size)
        self.weights = self.weights.astype(np.float64) * gain.reshape(-1, *(1,) * (self.weights.ndim - 1))
        self.bias = None if self.bias is None else self.bias.astype(np.float64) * gain

    def _pool(self, at: str, name: str, node: Any, sums: bool) -> None:
        window = window_of(node, at)
        if window == Window((1, 1), (1, 1), (0, 0)):
            return
        if len(self.shape) != 3:
            raise UserError(f"{at} pools shape {self.shape}, and a pool reads maps (C, H, W). Replace it")
        if isinstance(self.connection, Convolution) and window.tiles:
            self.connection = pooled(self.connection, window.sides)
            self.shape = self._after(at, self.connection, self.pre_shape)
            self.multiply_rows(np.array([float(prod(window.sides)) if sums else 1.0]))
        elif window.tiles and window.square:
            if isinstance(self.columns, np.ndarray) and self.columns.ndim > 0:
                self.columns = by_map(self.columns, at)[:, None, None]
            pool = Pool(window.sides[0], "average")
            self.shape = self._after(at, pool, self.shape)
            self.transforms.append(pool)
            self.columns = self.columns * (float(prod(window.sides)) if sums else 1.0)
            if isinstance(self.columns, np.ndarray) and self.columns.ndim > 0:
                self.columns = np.broadcast_to(self.columns, self.shape)
        else:  # windows that overlap, or meet a border: fixed weights, the same in each map
            maps = self.shape[0]
            weights = np.full((maps, 1, *window.sides), 1.0 if sums else 1 / prod(window.sides))
            connection = convolution(window._replace(groups=maps), maps, self.loop, at)
            self.last, self.fixed = name, ("weight",)
            self._take(at, connection, weights, None)

    def _flatten(self, at: str) -> None:
        if len(self.shape) == 1:
            return
        if isinstance(self.columns, np.ndarray):
            self.columns = self.columns.reshape(-1)
        self.transforms.append(Flatten())
        self.shape = (prod(self.shape),)

    def _delay(self, at: str, node: Any) -> None:
        """See that a delay is none, or that of recurrence, by which spikes arrive one step later."""
        steps = steps_of(node, self.clock, at)
        if steps.max() > (1 if self.loop else 0):
            raise UserError(
                f"{at} waits {steps.max()} steps on a way that leads back, and spikes of a population reach itself one "
                f"step later here. Leave the Delay out, or give it one step"
            )
