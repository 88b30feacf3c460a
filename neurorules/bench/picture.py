"""The picture of a measurement: time of a step, and its ratio to snnTorch's, against the quantity that differs between
points.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from neurorules.bench.measure import MEMORY, PEER, PRODUCTS

SIZE = (7.6, 3.4)
"""Width and height, inches."""
LINES = ("-", "--", ":", "-.")
"""The line styles of activities, if another quantity is swept."""
MARKERS = "os^D"
"""The markers of systems: the next one each time that all colours have been given away."""
ACROSS = {
    "steps": ("time steps T", lambda point: point["steps"]),
    "batch": ("batch size, samples", lambda point: point["batch_size"]),
    "width": ("width, neurons of the first hidden layer", lambda point: point["hidden"][0]),
    "depth": ("depth, hidden layers", lambda point: len(point["hidden"])),
    "activity": ("inputs that fire in a step, %", lambda point: 100 * point["activity"]),
}
"""For each sweep, the label of the axis and the position of a point on it."""


def draw(content: Mapping[str, Any], out: Path) -> None:
    """Draw a measurement and save the picture.

    Args:
        content: what `bench.json` holds.
        out: the file to write, .png.

    Raises:
        UserError: the file cannot be written.
    """
    from neurorules.traces.plots._backend import load_matplotlib

    load_matplotlib()
    from neurorules.traces.plots._shared import COLOURS, FAINT, GREY, LABEL, dress, new_figure, save

    points, swept = content["points"], content["sweep"] or "activity"
    label, place = ACROSS[swept]
    systems = list(points[0]["systems"])
    colours = dict(zip(systems, itertools.cycle(COLOURS[1:]), strict=False)) | {PRODUCTS: GREY, MEMORY: FAINT}
    markers = {name: MARKERS[i // len(COLOURS[1:]) % len(MARKERS)] for i, name in enumerate(systems)}
    beside = PEER if PEER in systems else PRODUCTS
    activities = [None] if swept == "activity" else list(dict.fromkeys(p["activity"] for p in points))
    memory = any("memory_mb" in system for system in points[0]["systems"].values())
    panels = 2 + memory + bool(content["goals"])
    width, height = SIZE
    figure = new_figure(
        width * (1 + panels) / 3, height, f"A training step on {content['gpu'] or content['processor']}"
    )
    left, right, *more = figure.subplots(1, panels)
    for name, (line, activity) in itertools.product(systems, enumerate(activities)):
        row = sorted((p for p in points if activity in (None, p["activity"])), key=place)
        look = {"color": colours[name], "marker": markers[name], "linestyle": LINES[line % len(LINES)]}
        look["label"] = _name(name, activity)
        _line(left, [(place(p), p["systems"][name]["ms"]) for p in row], look)
        if name != MEMORY:  # far below all others
            _line(right, [(place(p), p["systems"][name]["to"][beside]) for p in row], look)
        grown = [(place(p), mb) for p in row if (mb := p["systems"][name].get("memory_mb")) is not None]
        if grown:
            more[0].plot(*zip(*grown, strict=True), markersize=3, **look)
    places = sorted({place(p) for p in points})
    titles = ["time of a step, ms", f"time of a step, times that of {beside}", *["memory of a step, MB"] * memory]
    for axis, words in zip((left, right, *more), titles, strict=False):
        dress(axis).set(yscale="log", xscale="linear" if swept == "depth" else "log")
        axis.set_xlabel(label, fontsize=LABEL)
        axis.set_ylabel(words, fontsize=LABEL)
        axis.set_xticks(places, [f"{x:g}" for x in places])
        axis.xaxis.minorticks_off()
    if content["goals"]:
        _times(dress(more[-1]), content["goals"])
        more[-1].set_xlabel("time to a test accuracy on MNIST, s", fontsize=LABEL)
    figure.legend(*left.get_legend_handles_labels(), loc="outside right upper", fontsize=LABEL, frameon=False)
    save(figure, out)


def _line(axis: Any, points: list[tuple[float, Mapping[str, float]]], look: Mapping[str, Any]) -> None:
    """Medians as a line, and the middle half of the turns as a band."""
    xs = [x for x, _ in points]
    axis.plot(xs, [y["median"] for _, y in points], markersize=3, **look)
    low, high = ([y[name] for _, y in points] for name in ("low", "high"))
    axis.fill_between(xs, low, high, color=look["color"], alpha=0.15, linewidth=0)


def _times(axis: Any, goals: Sequence[Mapping[str, Any]]) -> None:
    """For each training a bar of the seconds from the command to the result, those of learning darker, and what was
    reached.
    """
    from neurorules.traces.plots._shared import COLOURS, FAINT

    names = [f"{row['goal %']:g} %" for row in goals]
    axis.barh(names, [row["s from the command"] for row in goals], color=FAINT)
    axis.barh(names, [row["s of learning"] for row in goals], color=COLOURS[1])
    for place, row in enumerate(goals):
        end = row["s from the command"]
        axis.annotate(f"{row['test %']:.2f} %", (end, place), (3, 0), textcoords="offset points", va="center")
    axis.set_xlim(0, 1.4 * max(row["s from the command"] for row in goals))
    axis.invert_yaxis()


def _name(system: str, activity: float | None) -> str:
    return system if activity is None else f"{system}, {100 * activity:g} %"
