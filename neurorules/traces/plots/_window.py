"""The window of a rule: the change of a weight against the lag of a pair of spikes, or the rate of pairs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from neurorules.traces.plots._shared import check_format, save
from neurorules.traces.window import Point, place_of


def draw_window(points: Sequence[Point], rule: str, out: Path) -> None:
    """Draw a window and save it: against the lag, the time between pairs, the clamp, or the rate.

    Args:
        points: the measured points.
        rule: the name of the rule, for the title.
        out: file, .png, .svg or .pdf.

    Raises:
        UserError: the format is unknown, or the file cannot be written.
    """
    check_format(out)
    figure = Figure(figsize=(4.6, 3.2), layout="constrained")
    axes = figure.subplots()
    axes.axhline(0, color="#999999", lw=0.8)
    first = points[0]
    if first.clamp_mV is not None:
        _by_rate(axes, points, [p.clamp_mV or 0.0 for p in points])
        axes.set_xlabel("postsynaptic membrane, held, mV")
    elif first.between_ms is not None:
        _by_rate(axes, points, [p.between_ms or 0.0 for p in points])
        axes.set_xlabel("from the first pair of spikes to the second, ms")
    elif first.second_dt_ms is not None:
        names = list(dict.fromkeys(place_of(p) for p in points))
        _by_rate(axes, points, [names.index(place_of(p)) for p in points], line="o")
        axes.set_xticks(range(len(names)), names, rotation=45, ha="right")
        axes.set_xlabel("lags of a triplet, ms")
    elif first.rate_hz is None:
        axes.plot([p.dt_ms or 0.0 for p in points], [p.dw for p in points], ".-", ms=4, lw=1)
        axes.axvline(0, color="#999999", lw=0.8)
        axes.set_xlabel("postsynaptic less presynaptic spike, ms")
    else:
        for lag in dict.fromkeys(p.dt_ms for p in points):
            own = [p for p in points if p.dt_ms == lag]
            axes.plot([p.rate_hz or 0.0 for p in own], [p.dw for p in own], "o-", ms=4, lw=1, label=f"{lag:+g} ms")
        axes.set_xlabel("pairs per second, Hz")
        axes.legend(title="lag", frameon=False)
    axes.set_ylabel("change of the weight")
    axes.set_title(rule, fontsize=10)
    save(figure, out)


def _by_rate(axes: Axes, points: Sequence[Point], places: Sequence[float], line: str = ".-") -> None:
    """Draw a curve for each rate, over the place of each point on the axis."""
    rates = list(dict.fromkeys(p.rate_hz for p in points))
    for rate in rates:
        own = [(place, p.dw) for place, p in zip(places, points, strict=True) if p.rate_hz == rate]
        label = None if rate is None else f"{rate:g} Hz"
        axes.plot([place for place, _ in own], [dw for _, dw in own], line, ms=4, lw=1, label=label)
    if len(rates) > 1:
        axes.legend(frameon=False)
