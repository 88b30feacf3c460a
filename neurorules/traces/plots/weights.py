"""Weight matrices as images, with one panel per connection."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from neurorules.language.errors import UserError
from neurorules.language.plain_text import counted
from neurorules.traces.plots._shared import (
    LABEL,
    SIGNED,
    TITLE,
    RunPicture,
    new_figure,
    one_run,
    plain_array,
    weights_of,
)

if TYPE_CHECKING:
    from neurorules.runs.folder import RunFolder

BRIGHTEST = 99.5
"""The percentile of |w| with the full colour, so that a few large weights do not hide the others."""
MOST_COLUMNS = 3


@dataclass(frozen=True)
class Weights(RunPicture):
    """The weights of each connection of a finished run; a kernel has one row for each map."""

    def of_runs(self, runs: Mapping[str, RunFolder]) -> Figure:
        name, run = one_run(runs)
        matrices = weights_of(run)
        columns = 2 if len(matrices) == 4 else min(len(matrices), MOST_COLUMNS)
        rows = -(-len(matrices) // columns)
        heading = f"Weights of {name}, rule {run.config().get('rule', '?')}"
        figure = new_figure(max(6.0, 4.0 * columns), 3.1 * rows + 0.5, heading)
        panels = figure.subplots(rows, columns, squeeze=False)
        for axis in panels.flat[len(matrices) :]:
            axis.set_visible(False)
        for axis, (connection, w) in zip(panels.flat, matrices.items(), strict=False):
            weights(axis, w)
            axis.set_title(connection, loc="left", fontsize=TITLE)
        return figure


def weights(axis: Axes, w: Any) -> Axes:
    """Draw a weight matrix: positive red, negative blue, 0 white, with its colour bar.

    Args:
        axis: the axis to draw on.
        w: (O, I), or a kernel (O, C, k, k), array or tensor.

    Returns:
        The axis.

    Raises:
        UserError: the shape is another one.
    """
    matrix = plain_array(w)
    if matrix.ndim not in (2, 4):
        raise UserError(f"weights of shape {matrix.shape} are not a matrix. Give (O, I), or a kernel (O, C, k, k)")
    kernel = matrix.ndim == 4
    inputs = "x".join(map(str, matrix.shape[1:])) + " kernel" if kernel else counted(matrix.shape[1], "input")
    matrix = matrix.reshape(len(matrix), -1)
    largest = float(np.percentile(np.abs(matrix), BRIGHTEST)) or 1.0
    image = axis.imshow(matrix, SIGNED, vmin=-largest, vmax=largest, aspect="auto", interpolation="nearest")
    axis.set_ylabel(counted(len(matrix), "map" if kernel else "neuron"), fontsize=LABEL)
    axis.set_xlabel(inputs, fontsize=LABEL)
    for along, count in ((axis.xaxis, matrix.shape[1]), (axis.yaxis, len(matrix))):
        along.set_ticks(sorted({0, count - 1}))
    axis.tick_params(labelsize=LABEL, length=2)
    bar = axis.figure.colorbar(image, ax=axis, fraction=0.05, pad=0.02)
    bar.ax.tick_params(labelsize=LABEL - 1)
    bar.set_label("w", fontsize=LABEL, rotation=0)
    bar.outline.set_visible(False)
    return axis


ENTRY = Weights
