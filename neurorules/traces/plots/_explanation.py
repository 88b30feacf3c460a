"""The figure of one weight change: the activity of the two neurons, and the resulting change, step by step."""

from __future__ import annotations

from pathlib import Path
from textwrap import wrap

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from neurorules.traces.explanation import Explanation, PhasePart
from neurorules.traces.plots._membrane import FEW_STEPS, voltage
from neurorules.traces.plots._shared import (
    BLUE,
    FAINT,
    GREEN,
    INK,
    LABEL,
    RED,
    TITLE,
    check_format,
    dress,
    new_figure,
    save,
    time_axis,
)

WIDTH, ROW, CHARACTERS = 5.4, 1.0, 66  # sizes in inches of a phase, a row, and a line of text


def draw_explanation(explanation: Explanation, out: Path) -> Figure:
    """Save the picture of an explanation.

    Raises:
        UserError: the format is unknown, or the file cannot be written.
    """
    check_format(out)
    figure = explanation_figure(explanation)
    save(figure, out)
    return figure


def explanation_figure(explanation: Explanation) -> Figure:
    """One column per phase; rows: presynaptic side, membrane, psi, third factor, postsynaptic factors, dw."""
    single = len(explanation.parts) == 1
    wide = max(7.2 if single else 0.0, WIDTH * len(explanation.parts))
    rows = [draw for draw, wanted in ROWS.items() if any(wanted <= set(part.variables) for part in explanation.parts)]
    texts = [_text(part, CHARACTERS if not single else round(CHARACTERS * 1.3)) for part in explanation.parts]
    lines = max(text.count("\n") for text in texts)
    figure = new_figure(wide, ROW * len(rows) + 1.15 + 0.16 * lines, _heading(explanation))
    grid = figure.subplots(len(rows), len(explanation.parts), sharex=True, squeeze=False)
    for axis in grid[-1, 1:]:
        axis.sharey(grid[-1, 0])  # the effects of phases on the weight share a scale; their membranes need not
    for axes, draw in zip(grid, rows, strict=True):
        for axis, part in zip(axes, explanation.parts, strict=True):
            draw(axis, part, explanation)
            axis.set_xlabel("")
            axis.margins(y=0.15)
            if draw in SMALL:
                axis.ticklabel_format(axis="y", style="sci", scilimits=(-2, 3), useMathText=True)
                axis.yaxis.get_offset_text().set_fontsize(LABEL - 1)
            if axis is not axes[0]:
                axis.set_ylabel("")
    for axis, text in zip(grid[0], texts, strict=True):
        axis.set_title(text, loc="left", fontsize=TITLE - 1, color=INK)
    for axis, part in zip(grid[-1], explanation.parts, strict=True):
        time_axis(axis, len(part.dw), explanation.dt_ms)
    figure.align_ylabels()
    return figure


def _heading(why: Explanation) -> str:
    mark = (
        " \N{CHECK MARK}" if why.prediction == why.label else " \N{BALLOT X}" if isinstance(why.prediction, int) else ""
    )
    sample = f"sample {why.sample}, {why.outcome}{mark}"
    line = f"Why {why.synapse} {'moved' if why.total else 'did not move'}, rule {why.rule}"
    return f"{line}\n{sample}; w = {why.weight:.4g}, dw = {why.total:+.3g} before the optimiser"


def _text(part: PhasePart, characters: int) -> str:
    rows = part.variables["v_post"].shape[1]
    which = f" (strong: row {part.row} of {rows}; dw: all of them)" if rows > 1 else ""
    texts = [line for text in part.texts for line in wrap(f"dw = {text}", characters, subsequent_indent="     ")]
    return "\n".join([f"phase {part.phase}{which}", *texts])


def _presynaptic(axis: Axes, part: PhasePart, explanation: Explanation) -> None:
    spikes = part.variables["S_pre"][:, part.row]
    steps = np.arange(len(spikes))
    axis.axhline(0, color=FAINT, linewidth=0.6, zorder=0)
    axis.vlines(steps, 0, spikes, color=BLUE, linewidth=2.2 if len(spikes) <= FEW_STEPS else 0.9, label="S_pre")
    if "mean_pre" in part.variables:
        axis.plot(part.variables["mean_pre"][:, part.row], color=INK, linewidth=0.9, linestyle=(0, (4, 3)),
                  label="mean_pre", marker=_marker(part, 1))  # fmt: skip
    traced = {term.pre: term.pre_factor for term in part.terms if term.pre.isidentifier() and term.pre != "S_pre"}
    traced |= {name: part.variables[name] for name in ("x_pre", "dv_dw") if name in part.variables}
    for name, values in traced.items():
        axis.plot(values[:, part.row], color=GREEN, linewidth=1.3, label=name, marker=_marker(part))
    axis.set_ylabel("presynaptic", fontsize=LABEL)
    _legend(axis)


def _membrane(axis: Axes, part: PhasePart, explanation: Explanation) -> None:
    scale = explanation.v_threshold or 1.0
    _other_rows(axis, part, part.variables["v_post"] / scale)
    fired = part.variables["S_post"][:, part.row] if explanation.v_threshold is not None else None
    voltage(axis, part.variables["v_post"][:, part.row], fired, explanation.v_threshold, colour=RED)
    if "x_post" in part.variables:
        axis.plot(part.variables["x_post"][:, part.row], color=GREEN, linewidth=1.3, label="x_post")
    axis.set_ylabel("v_post" if explanation.v_threshold is None else "v_post\n(thresholds)", fontsize=LABEL)
    _legend(axis)


def _psi(axis: Axes, part: PhasePart, explanation: Explanation) -> None:
    _line(axis, part, "psi_post", "psi(v_post)")


def _third_factor(axis: Axes, part: PhasePart, explanation: Explanation) -> None:
    _line(axis, part, "m_post", "m_post")


def _factors(axis: Axes, part: PhasePart, explanation: Explanation) -> None:
    axis.axhline(0, color=FAINT, linewidth=0.6, zorder=0)
    for number, term in enumerate(part.terms):
        _other_rows(axis, part, term.post_factor)
        colour = (RED, GREEN, BLUE)[number % 3]
        axis.plot(term.post_factor[:, part.row], color=colour, linewidth=1.3, marker=_marker(part),
                  label=f"beside {term.pre}")  # fmt: skip
    axis.set_ylabel("postsynaptic\nfactor", fontsize=LABEL)
    _legend(axis)


def _change(axis: Axes, part: PhasePart, explanation: Explanation) -> None:
    steps = np.arange(len(part.dw))
    axis.axhline(0, color=FAINT, linewidth=0.6, zorder=0)
    axis.bar(steps, part.dw, width=0.7, color=FAINT, label="each step")
    axis.plot(steps, part.dw.cumsum(), color=INK, linewidth=1.5, marker=_marker(part), label="so far", zorder=3)
    if part.own is not None:
        axis.plot(steps, part.own.cumsum(), color=BLUE, linewidth=1.1, linestyle=(0, (4, 3)), label="this pair's share")
    axis.set_ylabel("dw", fontsize=LABEL)
    _legend(axis)


def _line(axis: Axes, part: PhasePart, name: str, label: str) -> None:
    axis.axhline(0, color=FAINT, linewidth=0.6, zorder=0)
    if name in part.variables:
        _other_rows(axis, part, part.variables[name])
        axis.plot(part.variables[name][:, part.row], color=RED, linewidth=1.3, marker=_marker(part))
    axis.set_ylabel(label, fontsize=LABEL)
    dress(axis)


def _other_rows(axis: Axes, part: PhasePart, values: np.ndarray) -> None:
    if values.shape[1] > 1:
        axis.plot(np.delete(values, part.row, axis=1), color=FAINT, linewidth=0.5, zorder=1, marker=_marker(part, 1))


def _marker(part: PhasePart, most: int = 1) -> str:
    """The marker for a single step, which cannot be drawn as a line."""
    return "o" if len(part.dw) <= most else ""


def _legend(axis: Axes) -> None:
    handles, labels = axis.get_legend_handles_labels()
    if len(labels) > 1:
        axis.legend(handles, labels, fontsize=LABEL - 1, frameon=False, loc="upper left", bbox_to_anchor=(1.0, 1.05),
                    handlelength=1.4, borderaxespad=0.2)  # fmt: skip
    dress(axis)


ROWS = {
    _presynaptic: frozenset({"S_pre"}),
    _membrane: frozenset({"v_post"}),
    _psi: frozenset({"psi_post"}),
    _third_factor: frozenset({"m_post"}),
    _factors: frozenset({"v_post"}),
    _change: frozenset({"v_post"}),
}
"""Rows of the picture, and the variables that each needs."""
SMALL = (_third_factor, _factors, _change)
"""Rows whose numbers may need a power of ten."""
