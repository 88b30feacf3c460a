"""`neurorules window`, which shows how a rule changes a synapse for pairs of spikes (an STDP window)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from neurorules.commands.output import print_json, print_table
from neurorules.commands.settings import Json
from neurorules.language.config import path_of
from neurorules.language.errors import UserError
from neurorules.language.registry import own_part
from neurorules.traces.window import Point

if TYPE_CHECKING:
    from neurorules.torch_path.recording.window import Changes

MOST = 10_000
"""Largest number of lags or rates in one command."""


def add_to(app: typer.Typer) -> None:
    """Add the command `window` to the command line."""
    app.command("window")(window)


def window(
    rule: Annotated[str, typer.Argument(help="Rule with options, such as triplet_stdp:fit=hippocampal.")],
    dt: Annotated[
        str,
        typer.Option(help="Lags in ms (post minus pre): a list such as -10,10, or first:last:step such as -50:50:1."),
    ] = "-50:50:1",
    rates: Annotated[
        str | None, typer.Option(help="Pairs per second, such as 0.1,10,20,40,50; by default one pair for each lag.")
    ] = None,
    clamp: Annotated[
        str | None,
        typer.Option(help="Clamp the postsynaptic membrane to these mV, such as -75:0:1; only the input spikes."),
    ] = None,
    pairs: Annotated[
        int,
        typer.Option(min=1, max=100_000, help="Number of pairs, or of spikes under --clamp, at each rate."),
    ] = 60,
    weight: Annotated[float, typer.Option(help="Initial weight, which is used for all pairs.")] = 0.5,
    m: Annotated[float | None, typer.Option(help="Third factor, for rules that read one, such as 1.")] = None,
    step_ms: Annotated[float, typer.Option(help="Duration of a step in ms.")] = 1.0,
    path: Annotated[
        str, typer.Option(help="torch, or continuous: the rule's equations in Brian2, for rules without --m.")
    ] = "torch",
    out: Annotated[Path | None, typer.Option(help="Draw the window to this file (.png, .svg or .pdf).")] = None,
    json: Json = False,
) -> None:
    """Show how a rule changes one synapse, depending on the timing and the rate of spikes."""
    from neurorules.rules import RULES
    from neurorules.torch_path.recording.window import clamped
    from neurorules.torch_path.recording.window import window as measure

    if out is not None:
        from neurorules.traces.plots._shared import check_format

        check_format(out)
    if not 0 < step_ms < float("inf"):
        raise UserError(f"--step-ms is {step_ms}, and must be a number above 0")
    lags = _numbers("--dt", dt)
    wanted = None if rates is None else _numbers("--rates", rates)
    if wanted is not None and min(wanted) <= 0:
        raise UserError(f"--rates holds {min(wanted):g}, and each must be above 0")
    own, machine = RULES.make(own_part(rule, "rule")), _machine(path)
    if clamp is None:
        points = measure(own, lags, wanted, pairs=pairs, weight=weight, m=m, step_ms=step_ms, machine=machine)
    else:
        held = _numbers("--clamp", clamp)
        points = clamped(own, held, wanted, pulses=pairs, weight=weight, m=m, step_ms=step_ms, machine=machine)
    if out is not None:
        from neurorules.traces.plots._window import draw_window

        draw_window(points, rule, out)
    if json:
        print_json({"rule": rule, "weight": weight, "pairs": pairs if wanted else 1, "points": _rows(points)})
        return
    print_table(
        ["lag, ms" if clamp is None else "clamp, mV", "rate, Hz", "dw"],
        [_row(point) for point in points],
    )
    if out is not None:
        print(f"{out} drawn")


def _machine(path: str) -> Changes:
    """Choose the function that moves the synapses on a path."""
    if path_of(path) == "continuous":
        from neurorules.brian2_continuous.window import changes as in_brian2

        return in_brian2
    from neurorules.torch_path.recording.window import changes

    return changes


def _row(point: Point) -> list[str]:
    """The cells of a row: lag or clamp, rate, and change."""
    at = point.dt_ms if point.clamp_mV is None else point.clamp_mV
    return [f"{at:g}", "-" if point.rate_hz is None else f"{point.rate_hz:g}", f"{point.dw:+.6g}"]


def _rows(points: Sequence[Point]) -> list[dict[str, float | None]]:
    return [{"dt_ms": p.dt_ms, "rate_hz": p.rate_hz, "clamp_mV": p.clamp_mV, "dw": p.dw} for p in points]


def _numbers(option: str, text: str) -> list[float]:
    """Parse a list of numbers, or `first:last:step` with both ends included.

    Raises:
        UserError: the text has neither form, or there are more numbers than `MOST`.
    """
    try:
        parts = [float(part) for part in text.replace(":", ",").split(",")]
    except ValueError:
        parts = []
    if not parts or any(abs(part) > 1e9 or part != part for part in parts):
        raise UserError(f"{option} is '{text:.80}', which is not a list of numbers. Write 1,10,20 or first:last:step")
    if ":" not in text:
        return parts
    if len(parts) != 3 or "," in text or parts[2] <= 0 or parts[1] < parts[0]:
        raise UserError(f"{option} is '{text:.80}'. Write first:last:step with first below last and a step above 0")
    first, last, step = parts
    count = int((last - first) / step + 1e-9) + 1
    if count > MOST:
        raise UserError(f"{option} asks for {count} numbers; the maximum is {MOST}. Use a longer step")
    return [first + number * step for number in range(count)]
