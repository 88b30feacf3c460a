"""Learning curves: training and validation accuracy by epoch, for one or several runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from neurorules.contracts.target import FIGURES
from neurorules.language.errors import UserError
from neurorules.traces.plots._shared import COLOURS, GREY, LABEL, RunPicture, dress, new_figure

if TYPE_CHECKING:
    from neurorules.runs.folder import RunFolder

STYLES = ("-", "--", ":")
"""Styles of lines; the next one is used after each seven colours."""
FEW_EPOCHS = 30
LINE: dict[str, Any] = {"linewidth": 1.6, "markersize": 3.5}
FAINT_LINE: dict[str, Any] = {"linewidth": 0.9, "markersize": 3.5, "alpha": 0.45}


@dataclass(frozen=True)
class Curves(RunPicture):
    """Validation accuracy by epoch, training accuracy faint beside it; runs may still be learning. Runs of values show
    their mean squared error, and runs of several labels their accuracy per label."""

    def of_runs(self, runs: Mapping[str, RunFolder]) -> Figure:
        rules = {name: str(run.config().get("rule", "?")) for name, run in runs.items()}
        rows = {
            name if name.startswith(rules[name]) else f"{name} ({rules[name]})": run.read_metrics()
            for name, run in runs.items()
        }
        for name, run in runs.items():
            if not run.read_metrics():
                raise UserError(f"the run in {run.path} has finished no epoch ({name}). Draw it later")
        words = FIGURES[shown_figure(rows)].words
        title = f"{words[0].upper()}{words[1:]} while learning"
        figure = new_figure(7.2, 4.2 + 0.16 * max(0, len(runs) - 14), title)
        curves(figure.subplots(), rows)
        return figure


def shown_figure(runs: Mapping[str, Sequence[Mapping[str, Any]]]) -> str:
    """The figure that all runs have of their training and validation samples, a key of `contracts.target.FIGURES`.

    Raises:
        UserError: the runs have different tasks.
    """
    of_run = {
        name: next((figure for figure in FIGURES if f"train_{figure}" in rows[0]), "accuracy")
        for name, rows in runs.items()
        if rows
    }
    if len(set(of_run.values())) > 1:
        words = "; ".join(f"{name} has {FIGURES[figure].words}" for name, figure in of_run.items())
        raise UserError(f"these runs have no figure in common: {words}. Draw runs of one task")
    return next(iter(of_run.values()), "accuracy")


def curves(axis: Axes, runs: Mapping[str, Sequence[Mapping[str, Any]]]) -> Axes:
    """Draw accuracies by epoch, one colour for each run: validation strong, training faint.

    Args:
        axis: the axis to draw on.
        runs: by name, a row for each epoch with `epoch`, `validation_accuracy` (None for none) and `train_accuracy`, in
            0..1; or the figure of another task instead of accuracy.

    Returns:
        The axis.
    """
    figure = shown_figure(runs)
    for number, (name, rows) in enumerate(runs.items()):
        colour, style = COLOURS[(number + 1) % len(COLOURS)], STYLES[number // len(COLOURS) % len(STYLES)]
        epochs = np.array([row["epoch"] for row in rows])
        training_marker = "o" if len(rows) == 1 else ""
        axis.plot(epochs, _values(rows, "train", figure), style, color=colour, marker=training_marker, **FAINT_LINE)
        validation_marker = "o" if len(rows) <= FEW_EPOCHS else ""
        axis.plot(
            epochs,
            _values(rows, "validation", figure),
            style,
            color=colour,
            label=name,
            marker=validation_marker,
            **LINE,
        )
    axis.plot([], [], "-", color=GREY, label="validation", marker="o", **LINE)
    axis.plot([], [], "-", color=GREY, label="training", **FAINT_LINE)
    axis.legend(fontsize=LABEL, frameon=False, loc="upper left", bbox_to_anchor=(1.01, 1.0), borderaxespad=0.0)
    axis.set_xlabel("epoch", fontsize=LABEL)
    axis.set_ylabel(f"{FIGURES[figure].words}{' (%)' if FIGURES[figure].share else ''}", fontsize=LABEL)
    axis.xaxis.set_major_locator(MaxNLocator(integer=True))
    axis.grid(axis="y", color="#E6E6E6", linewidth=0.6)
    axis.set_axisbelow(True)
    return dress(axis)


def _values(rows: Sequence[Mapping[str, Any]], part: str, figure: str) -> np.ndarray:
    name, scale = f"{part}_{figure}", 100 if FIGURES[figure].share else 1
    return np.array([np.nan if row.get(name) is None else scale * row[name] for row in rows], float)


ENTRY = Curves
