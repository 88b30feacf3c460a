"""The window of a rule: the change of a weight against the lag of a pair of spikes, or the rate of pairs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from matplotlib.figure import Figure

from neurorules.traces.plots._shared import check_format, save
from neurorules.traces.window import Point


def draw_window(points: Sequence[Point], rule: str, out: Path) -> None:
    """Draw a window and save it: against the lag, the clamp, or the rate with a curve for each lag.

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
    if points[0].clamp_mV is not None:
        for rate in dict.fromkeys(p.rate_hz for p in points):
            own = [p for p in points if p.rate_hz == rate]
            axes.plot([p.clamp_mV or 0.0 for p in own], [p.dw for p in own], ".-", ms=4, lw=1)
        axes.set_xlabel("postsynaptic membrane, held, mV")
    elif points[0].rate_hz is None:
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
