"""The figure of a sweep: the result of each trial against each searched setting."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from neurorules.compare.tuning.space import Range
from neurorules.compare.tuning.trials import Searched
from neurorules.contracts.target import FIGURES

ACROSS = 3
"""Largest number of panels per row."""
PANEL = (2.7, 2.3)
"""Width and height of a panel, inches."""
LONGEST = 14
"""Largest length of a value below a panel, in characters."""


def draw_sweep(one: Searched, out: Path) -> None:
    """Draw the trials of a sweep, a panel for each searched setting, and save the picture.

    A dot is a trial that was trained to the end, a ring one that was pruned, at its last figure; the star is the best.

    Args:
        one: the search, with at least one trial that was trained to the end.
        out: the file, .png.

    Raises:
        UserError: the file cannot be written.
    """
    from neurorules.traces.plots._backend import load_matplotlib

    load_matplotlib()
    from neurorules.traces.plots._shared import BLUE, GREY, LABEL, RED, dress, new_figure, save

    best = one.best or {}
    states = {
        state: [(t["settings"], _last(one, t)) for t in one.trials if t["state"] == state and t is not best]
        for state in ("complete", "pruned")
    }
    names = list(one.space)
    across = min(ACROSS, len(names))
    down = -(-len(names) // across)
    title = f"{len(one.trials)} trials of {one.row.rule} on {one.row.data}"
    figure = new_figure(PANEL[0] * across + 0.6, PANEL[1] * down + 0.4, title)
    axes = list(figure.subplots(down, across, sharey=True, squeeze=False).flat)
    for name, axis in zip(names, axes, strict=False):
        dress(axis)
        for state, marker in (("pruned", {"facecolors": "none", "edgecolors": GREY}), ("complete", {"color": BLUE})):
            points = states[state]
            axis.scatter(_places(one, name, points), [y for _, y in points], s=16, alpha=0.8, label=state, **marker)
        at = [(best["settings"], _last(one, best))]
        axis.scatter(_places(one, name, at), [y for _, y in at], s=90, marker="*", color=RED, label="best", zorder=3)
        axis.set_xlabel(name, fontsize=LABEL)
        _scale(one, name, axis)
    for axis in axes[len(names) :]:
        axis.set_visible(False)
    words = FIGURES[one.figure].words
    label = f"validation {words}, %" if FIGURES[one.figure].share else f"validation {words}"
    figure.supylabel(label, fontsize=LABEL)
    marks = figure.axes[0].get_legend_handles_labels()
    figure.legend(*marks, loc="upper right", ncols=len(marks[0]), fontsize=LABEL, frameon=False)
    save(figure, out)


def _last(one: Searched, trial: dict[str, Any]) -> float:
    """The figure of a trial, as it is drawn; of a pruned one the last of its first seed."""
    value = trial[one.mean] if one.mean in trial else trial["curves"][0][-1]
    return float(100 * value if FIGURES[one.figure].share else value)


def _places(one: Searched, name: str, points: list[tuple[dict[str, Any], float]]) -> list[float]:
    """The places of trials along the axis of a setting: its number, or the place of its value in the list."""
    dimension = one.space[name]
    if isinstance(dimension, Range):
        return [float(settings[name]) for settings, _ in points]
    return [float(dimension.values.index(settings[name])) for settings, _ in points]


def _scale(one: Searched, name: str, axis: Any) -> None:
    """Scale and label the axis of a setting."""
    dimension = one.space[name]
    if isinstance(dimension, Range):
        axis.set_xscale("log" if dimension.log else "linear")
        return
    words = [f"{value:g}" if isinstance(value, float) else str(value) for value in dimension.values]
    short = [word if len(word) <= LONGEST else f"{word[: LONGEST - 3]}..." for word in words]
    slant = {"rotation": 30, "ha": "right"} if sum(map(len, short)) > 3 * LONGEST else {}
    axis.set_xticks(range(len(words)), short, **slant)
    axis.set_xlim(-0.5, len(words) - 0.5)
