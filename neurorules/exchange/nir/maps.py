"""Nodes without a state as a connection and what spikes pass before it."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import prod
from typing import Any, Literal

import numpy as np

from neurorules.connections.conv2d import Conv2d
from neurorules.connections.conv2d_pooled import Conv2dPooled
from neurorules.connections.dense import Dense
from neurorules.connections.recurrent import Recurrent
from neurorules.contracts.connection import Connection, Shape
from neurorules.contracts.transform import Transform
from neurorules.exchange.nir.file import metadata_of
from neurorules.exchange.nir.options import Clock
from neurorules.exchange.nir.wiring import kind_of
from neurorules.language.errors import UserError
from neurorules.transforms.flatten import Flatten
from neurorules.transforms.pool import Pool

DENSE = ("Linear", "Affine")
FROZEN = "frozen"
"""Name in a node's metadata: which of "weight bias" stay as they are while the net learns."""


@dataclass
class Map:
    """A path of nodes, as it is followed from the source on.

    Args:
        where: names the graph in messages.
        shape: behind the nodes that were followed.
        clock: how the graph's time runs.
        loop: whether the path leads from a population to itself.
        transforms: before the connection.
        connection: None until a node with weights has come.
        pre_shape: that the connection reads.
        weights: of the connection, shaped like its own.
        bias: one for each neuron or map; None for none.
        columns: by what activity is multiplied before the connection, a number or shaped like it.
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
    fixed: tuple[str, ...] = ()
    last: str = ""

    def follow(self, name: str, node: Any, biased: bool = True) -> None:
        """Follow the path through one node of the graph. A dense map behind a dense one is multiplied into it.

        Args:
            name: of the node.
            node: of NIR.
            biased: whether its bias counts; another path to the same population may have brought it already.

        Raises:
            UserError: nothing here does what it does; it is named.
        """
        kind = kind_of(node)
        at = f"{self.where}: node '{name}' ({kind})"
        if kind in (*DENSE, "Conv2d"):
            if self.connection is not None and not (kind in DENSE and isinstance(self.connection, Dense | Recurrent)):
                raise UserError(f"{at} follows '{self.last}' with no neuron between. Put one there, or multiply them")
            self.last, self.fixed = name, tuple(str(metadata_of(node).get(FROZEN, "")).split())
            (self._dense if kind in DENSE else self._convolution)(at, node, biased)
        elif kind == "Scale":
            self._scale(at, node)
        elif kind in ("AvgPool2d", "SumPool2d"):
            self._pool(at, node, kind)
        elif kind == "Flatten":
            self._flatten(at)
        elif kind == "Delay":
            self._delay(at, node)
        else:
            raise UserError(f"{at} has no counterpart here: populations are flat, or maps (C, H, W). Replace it")

    def end(self, at: str) -> None:
        """Close the path: nodes without weights become a one-to-one connection."""
        if self.connection is not None:
            return
        self.pre_shape, self.fixed = self.shape, ("weight",)
        if len(self.shape) == 3:
            self.connection = Conv2d(self.shape[0], 1, 1, "valid")
            self.weights = np.eye(self.shape[0])[:, :, None, None]
        elif len(self.shape) == 1:
            self.connection = Recurrent(self.shape[0]) if self.loop else Dense(self.shape[0])
            self.weights = np.eye(self.shape[0])
        else:
            raise UserError(f"{at} reads shape {self.shape}. Populations here are flat, or maps (C, H, W)")
        self._multiply_columns(at)

    def _dense(self, at: str, node: Any, biased: bool) -> None:
        weights = _finite(np.asarray(node.weight), at, "weight")
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
        weights = _finite(np.asarray(node.weight), at, "weight")
        stride, dilation = _pair(node.stride), _pair(node.dilation)
        square = weights.ndim == 4 and weights.shape[2] == weights.shape[3] and stride[0] == stride[1]
        if self.loop or not square or dilation != (1, 1) or int(np.asarray(node.groups).item()) != 1:
            raise UserError(
                f"{at} has weights {weights.shape}, stride {stride}, dilation {dilation}, {node.groups} groups"
                f"{' and feeds a population back to itself' if self.loop else ''}. Here a kernel is square, like its "
                f"stride, with dilation 1 and one group, between populations"
            )
        side = weights.shape[2]
        if len(self.shape) != 3 or self.shape[0] != weights.shape[1]:
            raise UserError(f"{at} reads maps ({weights.shape[1]}, height, width), and gets shape {self.shape}")
        border = self._border(at, node.padding, side)
        self._take(at, Conv2d(weights.shape[0], side, stride[0], border), weights, node.bias if biased else None)

    def _border(self, at: str, padding: Any, side: int) -> Literal["same", "valid"] | int:
        if isinstance(padding, str):
            if padding == "same" and side % 2 == 0:
                raise UserError(f"{at} has the padding 'same' and an even kernel. Use an odd one, or numbers")
            return "same" if padding == "same" else "valid"
        high, wide = _pair(padding)
        if high != wide or high < 0:
            raise UserError(f"{at} has the padding {(high, wide)}. Use the same on both sides")
        if high == 0:
            return "valid"
        return "same" if side % 2 and high == side // 2 else high

    def _take(self, at: str, connection: Connection, weights: np.ndarray, bias: Any) -> None:
        self.connection, self.pre_shape = connection, self.shape
        self.weights = weights if np.issubdtype(weights.dtype, np.floating) else weights.astype(np.float64)
        if bias is not None:
            self.bias = _finite(np.asarray(bias), at, "bias").reshape(-1)
            if self.bias.shape != weights.shape[:1]:
                raise UserError(f"{at} has a bias of {self.bias.size} numbers, and {weights.shape[0]} outputs")
        self._multiply_columns(at)
        self.shape = self._after(at, connection)

    def _after(self, at: str, part: Connection | Transform) -> Shape:
        try:
            return part.post_shape(self.shape)
        except UserError as error:
            raise UserError(f"{at}: {error}") from None

    def _multiply_columns(self, at: str) -> None:
        scale = self.columns
        if isinstance(scale, np.ndarray) and scale.ndim == 3:
            scale = _by_map(scale, at)[None, :, None, None]
        if not np.all(scale == 1.0):
            self.weights = self.weights.astype(np.float64) * scale

    def _scale(self, at: str, node: Any) -> None:
        scale = _finite(np.asarray(node.scale, dtype=np.float64), at, "scale")
        if scale.size != 1 and scale.shape != self.shape:
            raise UserError(f"{at} has a scale of shape {scale.shape}, and gets shape {self.shape}")
        if self.connection is None:
            self.columns = self.columns * (scale.item() if scale.size == 1 else scale)
            return
        if scale.size > 1:
            scale = _by_map(scale, at) if scale.ndim == 3 else scale
        self.multiply_rows(scale.reshape(-1))

    def multiply_rows(self, gain: np.ndarray) -> None:
        """Multiply what the connection brings, weights and bias.

        Args:
            gain: one number, or one for each neuron or map.
        """
        if np.all(gain == 1.0):
            return
        self.weights = self.weights.astype(np.float64) * gain.reshape(-1, *(1,) * (self.weights.ndim - 1))
        self.bias = None if self.bias is None else self.bias.astype(np.float64) * gain

    def _pool(self, at: str, node: Any, kind: str) -> None:
        side, stride, around = _pair(node.kernel_size), _pair(node.stride), _pair(node.padding)
        if side[0] != side[1] or stride != side or around != (0, 0):
            raise UserError(
                f"{at} has the kernel {side}, stride {stride} and padding {around}. Windows here are square, lie side "
                f"by side, and have no padding"
            )
        if side[0] == 1:
            return
        factor = float(side[0] ** 2) if kind == "SumPool2d" else 1.0
        if self.connection is None:
            if isinstance(self.columns, np.ndarray):
                raise UserError(f"{at} pools what a Scale multiplied neuron by neuron. Put the Scale behind it")
            pool = Pool(side[0], "average")
            self.shape = self._after(at, pool)
            self.transforms.append(pool)
            self.columns = self.columns * factor
            return
        if type(self.connection) is not Conv2d:
            raise UserError(f"{at} pools what '{self.last}' gives, which are no maps. Put a neuron between")
        plain = self.connection
        self.connection = Conv2dPooled(plain.channels, plain.kernel, plain.stride, plain.padding, side[0], "average")
        self.shape = self.connection.post_shape(self.pre_shape)
        self.multiply_rows(np.array([factor]))

    def _flatten(self, at: str) -> None:
        if len(self.shape) == 1:
            return
        if self.connection is not None:
            raise UserError(f"{at} flattens the current of '{self.last}'. Put a neuron between")
        if isinstance(self.columns, np.ndarray):
            self.columns = self.columns.reshape(-1)
        self.transforms.append(Flatten())
        self.shape = (prod(self.shape),)

    def _delay(self, at: str, node: Any) -> None:
        delays = np.unique(np.asarray(node.delay, dtype=np.float64))
        steps = delays / self.clock.step
        if not np.all(np.isfinite(steps)) or steps.min() < 0:
            raise UserError(f"{at} has a delay that is no time. Give it one of at least 0")
        if steps.max() > (1 + 1e-6 if self.loop else 0):
            raise UserError(
                f"{at} waits up to {steps.max():.4g} steps, and spikes here arrive in their own step, those of a "
                f"population to itself one step later. Leave it out"
            )


def _pair(value: Any) -> tuple[int, int]:
    flat = np.asarray(value).reshape(-1)
    return int(flat[0]), int(flat[-1])


def _finite(value: np.ndarray, at: str, name: str) -> np.ndarray:
    if not np.issubdtype(value.dtype, np.number) or not np.all(np.isfinite(value)):
        raise UserError(f"{at} has a {name} that holds NaN, infinite values or no numbers. Give it finite ones")
    return value


def _by_map(value: np.ndarray, at: str) -> np.ndarray:
    """One number for each map (C,), of numbers (C, H, W) that are the same all over a map."""
    first = value[:, 0, 0]
    if not np.all(value == first[:, None, None]):
        raise UserError(
            f"{at} scales the neurons of a map by several numbers, and they share weights. Give each map one"
        )
    return first
