"""The graph of a coupled system, its variables coloured by causal distance."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from neurorules.causal import CoupledSystem, distances_to
from neurorules.traces.plots._shared import check_format, save

PALETTE = ("#b40426", "#e7745b", "#dddddd", "#8caffe", "#3b4cc0")
RING = 5


def draw_graph(system: CoupledSystem, target: str, out: Path) -> None:
    """Draw variables as circles, couplings as arrows (feeding red, eating blue, as wide as strong), and save it.

    Raises:
        UserError: a variable or a format is unknown, or the file cannot be written.
    """
    check_format(out)
    lengths, places = distances_to(system, target), _places(len(system.variables))
    figure = Figure(figsize=(2.0 + 2.6 * max(1, len(places) // RING), 3.4), layout="constrained")
    axes = figure.subplots()
    strongest = float(np.abs(system.coupling).max()) or 1.0
    for i, j in zip(*np.nonzero(system.coupling), strict=True):
        if i == j:
            continue
        strength = system.coupling[i, j]
        axes.annotate(
            "", places[i], places[j],
            arrowprops={
                "arrowstyle": "-|>", "color": "#b40426" if strength > 0 else "#3b4cc0", "shrinkA": 13, "shrinkB": 13,
                "lw": 0.5 + 1.5 * abs(strength) / strongest, "connectionstyle": "arc3,rad=0.15",
            },
        )  # fmt: skip
    for name, place in zip(system.variables, places, strict=True):
        length = lengths.get(name)
        colour = "white" if length is None else PALETTE[min(length, len(PALETTE) - 1)]
        ink = "white" if colour in (PALETTE[0], PALETTE[-1]) else "black"
        axes.scatter(*place, s=560, color=colour, edgecolors="black", zorder=3)
        axes.annotate(
            f"{name}\n{'-' if length is None else length}", place, ha="center", va="center", fontsize=8, color=ink
        )
    axes.set_title(f"causal distance to {target}", fontsize=10)
    axes.set_aspect("equal")
    axes.margins(0.2)
    axes.set_axis_off()
    save(figure, out)


def _places(count: int) -> list[tuple[float, float]]:
    """The positions of variables: rings of five next to each other, or a single circle for any other number."""
    size = RING if count % RING == 0 else count
    angles = [np.pi / 2 - 2 * np.pi * k / size for k in range(size)]
    return [
        (float(np.cos(angles[k % size])) + 2.6 * (k // size), float(np.sin(angles[k % size]))) for k in range(count)
    ]
