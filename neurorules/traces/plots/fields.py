"""Receptive fields: the weights from the input to each neuron of the first layer, and the kernels of convolutions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import isqrt, prod
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from neurorules.language.errors import UserError, unknown
from neurorules.language.ranges import Count, ranged
from neurorules.traces.plots._shared import SIGNED, TITLE, RunPicture, new_figure, one_run, plain_array, weights_of

if TYPE_CHECKING:
    from neurorules.runs.folder import RunFolder

CHANNELS = (1, 3, 2)
"""Numbers of channels that square inputs of no given shape may have: grey, colour, on and off events."""
FIRST, COLOUR = "hidden1.ff", 3
PIXELS, GAP, FRAME = 80, 3, 0.75  # the least height of a tile, the space beside it in pixels, and the grey around it


@ranged("plot 'fields'")
@dataclass(frozen=True)
class Fields(RunPicture):
    """Each tile one neuron, or one map of a convolution, in colours scaled by its own largest weight.

    Args:
        layer: such as hidden1; by default the first layer and every convolution.
        count: most tiles, the strongest ones, >= 1.
        shape: the shape of the input, such as 1x28x28; by default square maps of 1, 3 or 2 channels.
    """

    layer: str | None = None
    count: Count = 64
    shape: str | None = None

    def of_runs(self, runs: Mapping[str, RunFolder]) -> Figure:
        name, run = one_run(runs)
        weights = self._drawable(run)
        heading = f"Receptive fields of {name}, rule {run.config().get('rule', '?')}"
        figure = new_figure(4.5 * len(weights) + 0.2, 4.9, heading)
        for axis, (connection, w) in zip(
            figure.subplots(1, len(weights), squeeze=False)[0], weights.items(), strict=True
        ):
            chosen = strongest(w, self.count)
            fields(axis, w[chosen])
            size = "x".join(map(str, w.shape[1:]))
            many = f"{len(w)} fields" if len(chosen) == len(w) else f"{len(chosen)} strongest of {len(w)} fields"
            axis.set_title(f"{connection.removesuffix('.ff')}: {many}, {size}", loc="left", fontsize=TITLE)
        return figure

    def _drawable(self, run: RunFolder) -> dict[str, np.ndarray]:
        """Fields (O, C, H, W) by connection."""
        weights = {name: w for name, w in weights_of(run).items() if w.ndim == 4 or name == FIRST}
        if self.layer is not None:
            weights = {name: w for name, w in weights.items() if self.layer in (name, name.partition(".")[0])}
            if not weights:
                layers = sorted({name.partition(".")[0] for name in weights_of(run)})
                if self.layer not in layers:
                    raise unknown("layer", self.layer, layers)
                raise UserError(f"layer '{self.layer}' does not read the input. Fields are hidden1's and convolutions'")
        return {name: w if w.ndim == 4 else w.reshape(-1, *self._input(w.shape[1])) for name, w in weights.items()}

    def _input(self, inputs: int) -> tuple[int, ...]:
        """(C, H, W) of the input."""
        if self.shape is not None:
            pieces = self.shape.split("x")
            sizes = tuple(int(piece) for piece in pieces if piece.isdecimal())
            if len(sizes) != 3 or len(pieces) != 3 or prod(sizes) != inputs:
                raise UserError(f"shape={self.shape} is no CxHxW of {inputs} inputs. Write one such as 1x28x28")
            return sizes
        for channels in CHANNELS:
            side = isqrt(inputs // channels)
            if channels * side**2 == inputs:
                return (channels, side, side)
        raise UserError(f"the {inputs} inputs are not square maps. Give their shape: --kind fields:shape=CxHxW")


def strongest(w: np.ndarray, count: int) -> np.ndarray:
    """Choose the fields of largest norm.

    Args:
        w: fields (O, ...).
        count: the number of fields, >= 1.

    Returns:
        Their indices, strongest first; all of them in their order if there are no more than `count`.
    """
    if len(w) <= count:
        return np.arange(len(w))
    return np.argsort(-np.linalg.norm(w.reshape(len(w), -1), axis=1), kind="stable")[:count]


def fields(axis: Axes, w: Any) -> Axes:
    """Draw receptive fields or kernels as tiles: positive red, negative blue, 0 white; three channels in colour.

    Args:
        axis: the axis to draw on.
        w: (O, H, W), or (O, C, H, W), array or tensor; the channels of a tile are next to each other.

    Returns:
        The axis.

    Raises:
        UserError: the shape is another one.
    """
    tiles = plain_array(w)
    if tiles.ndim not in (3, 4) or 0 in tiles.shape:
        raise UserError(f"fields of shape {tiles.shape} cannot be drawn. Give (O, H, W) or (O, C, H, W)")
    image = _mosaic(_painted(tiles if tiles.ndim == 4 else tiles[:, None]))
    axis.imshow(image, interpolation="nearest")
    axis.set_axis_off()
    axis.set_anchor("NW")
    return axis


def _painted(tiles: np.ndarray) -> np.ndarray:
    """RGB of each tile, (O, H, W, 3), its largest weight in full colour."""
    largest = np.abs(tiles).max(axis=(1, 2, 3), keepdims=True)
    scaled = tiles / np.where(largest == 0, 1.0, largest)
    if tiles.shape[1] == COLOUR:
        finer = max(1, round(PIXELS / tiles.shape[2]))
        return ((scaled.transpose(0, 2, 3, 1) + 1) / 2).repeat(finer, 1).repeat(finer, 2)
    finer = max(1, round(PIXELS / tiles.shape[2]))
    colours = colormaps[SIGNED]((scaled + 1) / 2)[..., :3].repeat(finer, 2).repeat(finer, 3)
    beside = np.pad(colours, ((0, 0), (0, 0), (0, 0), (0, GAP), (0, 0)), constant_values=1.0)
    return np.concatenate(list(beside.swapaxes(0, 1)), axis=2)[:, :, :-GAP]


def _mosaic(tiles: np.ndarray) -> np.ndarray:
    """Tiles (O, H, W, 3) with a thin frame each, in rows, as square a picture as they make."""
    framed = np.pad(tiles, ((0, 0), (1, 1), (1, 1), (0, 0)), constant_values=FRAME)
    count, height, width = (n + gap for n, gap in zip(framed.shape[:3], (0, 2 * GAP, 2 * GAP), strict=True))
    columns = min(range(1, count + 1), key=lambda n: abs(np.log(n * width / (-(-count // n) * height))))
    rows = -(-count // columns)
    canvas = np.ones((rows * height - 2 * GAP, columns * width - 2 * GAP, 3))
    for number, tile in enumerate(framed):
        y, x = number // columns * height, number % columns * width
        canvas[y : y + tile.shape[0], x : x + tile.shape[1]] = tile
    return canvas


ENTRY = Fields
