"""The windows that convolutions and pools of NIR move over maps, and the connections that compute them."""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

import numpy as np

from neurorules.connections._convolution import Convolution, Pair
from neurorules.connections.conv2d import Conv2d
from neurorules.connections.conv2d_grouped import Conv2dGrouped
from neurorules.connections.conv2d_pooled import Conv2dPooled
from neurorules.connections.recurrent_conv2d import RecurrentConv2d
from neurorules.exchange.nir.kinds import kind_of
from neurorules.language.errors import UserError


class Window(NamedTuple):
    """A window that moves over maps (C, H, W). A line (C, L) is a map of height 1.

    Args:
        sides: height and width, >= 1 each.
        strides: steps between its positions, >= 1 each.
        borders: widths of the border of zeros around a map, >= 0 each.
        dilations: distances between neighbouring cells of the window, >= 1 each.
        groups: number of groups of maps; each group is read apart from the others.
    """

    sides: Pair
    strides: Pair
    borders: Pair
    dilations: Pair = (1, 1)
    groups: int = 1

    @property
    def tiles(self) -> bool:
        """Whether the windows lie side by side and meet no border, as those of an ordinary pool."""
        return self.strides == self.sides and self.borders == (0, 0)

    @property
    def square(self) -> bool:
        """Whether height and width are alike, with dilation 1 and one group."""
        alike = all(len(set(pair)) == 1 for pair in (self.sides, self.strides, self.borders))
        return alike and self.dilations == (1, 1) and self.groups == 1


def window_of(node: Any, at: str) -> Window:
    """The window of a Conv1d, a Conv2d, or a pool.

    Args:
        node: a node of NIR.
        at: names it in messages.

    Returns:
        The window.

    Raises:
        UserError: numbers that no window can have; the message names the node.
    """
    kind = kind_of(node)
    lines = kind == "Conv1d"
    if kind.startswith("Conv"):
        shape = np.shape(node.weight)
        axes = 3 if lines else 4
        if len(shape) != axes:
            wanted = "(outputs, inputs, length)" if lines else "(outputs, inputs, height, width)"
            raise UserError(f"{at} has weights of shape {shape}. Give it {wanted}")
        sides: Pair = (1, shape[2]) if lines else (shape[2], shape[3])
        dilations, groups = _pair(node.dilation, 1, lines), int(np.asarray(node.groups).reshape(-1)[0])
    else:
        sides, dilations, groups = _pair(node.kernel_size, 1, False), (1, 1), 1
    strides = _pair(node.stride, 1, lines)
    window = Window(sides, strides, _borders(node.padding, sides, dilations, lines, at), dilations, groups)
    if min(*window.sides, *window.strides, *window.dilations, groups) < 1 or min(window.borders) < 0:
        raise UserError(
            f"{at} has the kernel {window.sides}, stride {strides}, padding {window.borders}, dilation {dilations} and "
            f"{groups} groups. Give it a padding of at least 0, and whole numbers of at least 1 else"
        )
    return window


def _borders(padding: Any, sides: Pair, dilations: Pair, lines: bool, at: str) -> Pair:
    if not isinstance(padding, str):
        return _pair(padding, 0, lines)
    if padding not in ("same", "valid"):
        raise UserError(f"{at} has the padding '{padding}'. Known: same, valid, or a number of zeros")
    if padding == "valid":
        return 0, 0
    whole = [distance * (side - 1) for side, distance in zip(sides, dilations, strict=True)]
    if any(one % 2 for one in whole):
        raise UserError(f"{at} has the padding 'same' and an even kernel. Use an odd one, or numbers")
    return whole[0] // 2, whole[1] // 2


def _pair(value: Any, of_height: int, lines: bool) -> Pair:
    """Numbers along the height and the width; a Conv1d has one along its line alone."""
    flat = np.asarray(value).reshape(-1)
    return (of_height, int(flat[0])) if lines else (int(flat[0]), int(flat[-1]))


def convolution(window: Window, channels: int, loop: bool, at: str) -> Convolution:
    """The connection that convolves with a window.

    Args:
        window: window of the kernels.
        channels: number of maps that it drives.
        loop: whether it leads from a population to itself.
        at: names the node in messages.

    Returns:
        The plainest connection there is for it.

    Raises:
        UserError: a loop that does not keep the maps as they are.
    """
    if loop:
        same = all(side % 2 and border == side // 2 for side, border in zip(window.sides, window.borders, strict=True))
        if not same or window.strides != (1, 1) or window.dilations != (1, 1) or window.groups != 1:
            raise UserError(
                f"{at} feeds a population back to itself by {_shown(window)}. A convolution that does so here has odd "
                f"sides, stride 1, dilation 1, one group, and a padding of half its sides. Give it these"
            )
        return RecurrentConv2d(channels, window.sides)
    if not window.square:
        return Conv2dGrouped(channels, *window)
    side, stride, border = window.sides[0], window.strides[0], window.borders[0]
    return Conv2d(channels, side, stride, _named(border, side))


def pooled(connection: Convolution, sides: Pair) -> Convolution:
    """A convolution whose current is averaged over windows that lie side by side.

    Args:
        connection: without a pool.
        sides: height and width of the windows.

    Returns:
        The convolution with the pool behind it.
    """
    if isinstance(connection, Conv2d) and sides[0] == sides[1]:
        border = connection.padding
        return Conv2dPooled(connection.channels, connection.kernel, connection.stride, border, sides[0], "average")
    of = connection
    return Conv2dGrouped(
        of.channels, of.sides, of.strides, of.borders, of.dilations, of.groups, sides, "average"
    )  # fmt: skip


def _named(border: int, side: int) -> Literal["same", "valid"] | int:
    if border == 0:
        return "valid"
    return "same" if side % 2 and border == side // 2 else border


def _shown(window: Window) -> str:
    return (
        f"a kernel {window.sides}, stride {window.strides}, padding {window.borders}, dilation {window.dilations} and "
        f"{window.groups} groups"
    )
