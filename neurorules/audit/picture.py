"""The audit as a figure: one matrix per rule, with the read-out on top."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from neurorules.audit.matrix import ALONE, Mark, Matrix, matrices, short_name

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLOURS: dict[Mark, str] = {
    "none": "#f3f3f3", "near": "#9ecae9", "told": "#f0c85a", "far": "#d55e00", "late": "#d8b4cf"
}  # fmt: skip
"""Colours of cells, from Okabe & Ito's palette for colour-blind readers; `SIGNS` shows the same by shapes."""
MEANING: dict[Mark, str] = {
    "none": "no bit of the update changes",
    "near": "depends: the layer itself, or one below (forward activity)",
    "told": "depends: the label",
    "far": "depends: a layer above, or other samples",
    "late": "depends: what comes later in the trial",
}
"""The text of each mark in the legend."""
SIGNS: dict[Mark, dict[str, Any]] = {
    "near": {"marker": "o", "markerfacecolor": "none", "color": "#1f5f8b", "markersize": 4, "markeredgewidth": 0.9},
    "told": {"marker": "o", "color": "black", "markersize": 2.5},
    "far": {"marker": "x", "color": "white", "markersize": 5, "markeredgewidth": 1.4},
    "late": {"marker": ">", "markerfacecolor": "none", "color": "#7a3b69", "markersize": 4, "markeredgewidth": 0.9},
}
"""The shape in a cell, so that marks can be distinguished without colours."""
HEAD = (
    "What the update of each layer depends on, one thing changed at a time\n"
    "weights: as learning reads them, all passes held; activity: as learning is told of it"
)
DPI = 130
"""Dots per inch of bitmap figures."""
ACROSS, CELL = 3, 0.28
"""Number of matrices per row, and the size of a cell in inches."""


def draw_matrix(axes: Axes, matrix: Matrix) -> Axes:
    """Draw one rule's matrix: rows are layers that learn, columns what was changed.

    Args:
        axes: the axes to draw into.
        matrix: the matrix.

    Returns:
        The same axes.
    """
    from matplotlib.patches import Rectangle

    count = len(matrix.layers)
    places = column_places(matrix.columns)
    for row, layer in enumerate(matrix.layers):
        for column, x in zip(matrix.columns, places, strict=True):
            mark = matrix.marks.get((layer, *column), "untried")
            if mark == "untried":
                axes.text(x, row, "–", ha="center", va="center", color="#888888", fontsize=7)
                continue
            axes.add_patch(Rectangle((x - 0.46, row - 0.46), 0.92, 0.92, color=COLOURS[mark], linewidth=0))
            if mark in SIGNS:
                axes.plot(x, row, **SIGNS[mark])
    axes.set_xlim(-0.6, places[-1] + 0.6)
    axes.set_ylim(-0.6, count + 0.55)
    axes.set_aspect("equal")
    axes.set_yticks(range(count), [layer.replace("readout", "read-out") for layer in matrix.layers], fontsize=7)
    names = [short_name(layer) for kind, layer in matrix.columns[: 2 * count]]
    axes.set_xticks(places, [*names, *(name.replace(" ", "\n") for name in ALONE.values())], fontsize=6.5)
    for label in axes.get_xticklabels()[-len(ALONE) :]:
        label.set(rotation=90, va="top")
    for start, text in ((0, "weights of"), (count, "activity of")):
        middle = (places[start] + places[start + count - 1]) / 2
        axes.text(middle, count - 0.25, text, ha="center", va="bottom", fontsize=7, color="#444444")
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    axes.set_title(matrix.rule, fontsize=9.5, fontweight="bold", loc="left", pad=13)
    axes.annotate(
        matrix.summary, (0, 1), xycoords="axes fraction", xytext=(0, 4), textcoords="offset points", fontsize=6.5,
        color="#444444",
    )  # fmt: skip
    return axes


def column_places(columns: Sequence[tuple[str, str]]) -> list[float]:
    """The x positions of columns in cells, with a gap between kinds."""
    places: list[float] = []
    for number, (kind, _) in enumerate(columns):
        gap = 0.0 if number == 0 else 1.0 if columns[number - 1][0] == kind else 1.5
        places.append(gap + (places[-1] if places else 0.0))
    return places


def draw_audit(audit: Mapping[str, Any], out: Path) -> None:
    """Draw all audited rules into one figure.

    Args:
        audit: the result of `audit_settings`.
        out: file of the figure; its suffix determines the format.

    Raises:
        UserError: the format is not supported, or the file cannot be written.
    """
    from neurorules.traces.plots._backend import load_matplotlib

    load_matplotlib()
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    from neurorules.traces.plots._shared import check_format, save

    check_format(out)

    drawn = list(matrices(audit))
    across = min(ACROSS, len(drawn))
    down = -(-len(drawn) // across)
    cells, rows = max(len(m.columns) for m in drawn) + 4, max(len(m.layers) for m in drawn) + 4.5
    size = max(across * cells * CELL, 5.6), down * rows * CELL + (1.5 if across > 1 else 2.4)
    figure = Figure(figsize=size, layout="constrained")
    panels = figure.subplots(down, across, squeeze=False).flatten()
    for axes, matrix in zip(panels, drawn, strict=False):
        draw_matrix(axes, matrix)
    for axes in panels[len(drawn) :]:
        axes.set_axis_off()
    handles: list[Any] = [
        (Patch(color=COLOURS[mark]), Line2D([], [], linestyle="", **SIGNS[mark]))
        if mark in SIGNS else Patch(color=COLOURS[mark])
        for mark in MEANING
    ]  # fmt: skip
    figure.suptitle(HEAD, fontsize=9)
    figure.legend(
        handles,
        list(MEANING.values()),
        loc="outside lower center",
        ncols=3 if across > 1 else 1,
        fontsize=8,
        frameon=False,
    )
    save(figure, out, DPI)
