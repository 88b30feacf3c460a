"""`neurorules window`, which shows how a rule changes a synapse for pairs, triplets and quadruplets of spikes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from neurorules.commands.output import print_json, print_table
from neurorules.commands.settings import Json
from neurorules.language.config import path_of
from neurorules.language.errors import UserError
from neurorules.language.registry import own_part
from neurorules.traces.window import Point, place_label, place_of

if TYPE_CHECKING:
    from neurorules.torch_path.recording.window import Changes

MOST = 10_000
"""Largest number of lags or rates in one command."""
LARGEST = 1e9
"""Largest time, rate or voltage."""
PAIRS = 60
"""The number of pairs at each rate if no other is given."""
LAGS = "-50:50:1"
"""The lags of pairs if no others are given."""
QUADRUPLET_LAG_MS = 5.0
"""The lag of both pairs of a quadruplet. Source: the protocol of Wang, Gerkin, Nauen, Bi 2005."""


def add_to(app: typer.Typer) -> None:
    """Add the command `window` to the command line."""
    app.command("window")(window)


def window(
    rule: Annotated[str, typer.Argument(help="Rule with options, such as triplet_stdp:fit=hippocampal.")],
    dt: Annotated[
        str | None,
        typer.Option(
            help="Lags in ms (post minus pre): a list such as -10,10, or first:last:step such as -50:50:1, the default."
        ),
    ] = None,
    triplets: Annotated[
        str | None,
        typer.Option(
            help="Triplets instead of pairs, by the lags of the first and the last two spikes in ms: 5:-5 is "
            "pre-post-pre, and -5:5 post-pre-post, as in 5:-5,10:-10,-5:5."
        ),
    ] = None,
    quadruplets: Annotated[
        str | None,
        typer.Option(
            help="Quadruplets instead of pairs, by the ms between a pair post-pre and a pair pre-post (below 0: in the "
            "other order), such as -90:90:10; --dt is the lag of both pairs, 5 by default."
        ),
    ] = None,
    rates: Annotated[
        str | None, typer.Option(help="Pairs per second, such as 0.1,10,20,40,50; by default a single one.")
    ] = None,
    clamp: Annotated[
        str | None,
        typer.Option(help="Clamp the postsynaptic membrane to these mV, such as -75:0:1; only the input spikes."),
    ] = None,
    pairs: Annotated[
        int | None,
        typer.Option(min=1, max=100_000, help="Number of pairs, or what stands for them, at each rate; 60 by default."),
    ] = None,
    weight: Annotated[float, typer.Option(help="Initial weight, which is used for all pairs.")] = 0.5,
    m: Annotated[float | None, typer.Option(help="Third factor, for rules that read one, such as 1.")] = None,
    step_ms: Annotated[float, typer.Option(help="Duration of a step in ms.")] = 1.0,
    path: Annotated[str, typer.Option(help="torch, or continuous: the rule's equations in Brian2.")] = "torch",
    out: Annotated[Path | None, typer.Option(help="Draw the window to this file (.png, .svg or .pdf).")] = None,
    json: Json = False,
) -> None:
    """Show how a rule changes one synapse, depending on the timing and the rate of spikes."""
    if out is not None:
        from neurorules.traces.plots._shared import check_format

        check_format(out)
    if not 0 < step_ms < float("inf"):
        raise UserError(f"--step-ms is {step_ms}, and must be a number above 0")
    wanted, among = _rates(rates), {"weight": weight, "m": m, "step_ms": step_ms, "machine": _machine(path)}
    count = _count(pairs, wanted)
    points = _Protocol(dt, triplets, quadruplets, clamp).points(rule, wanted, count, among)
    if out is not None:
        from neurorules.traces.plots._window import draw_window

        draw_window(points, rule, out)
    if json:
        print_json({"rule": rule, "weight": weight, "pairs": count, "points": _rows(points)})
        return
    print_table([place_label(points[0]), "rate, Hz", "dw"], [_row(point) for point in points])
    if out is not None:
        print(f"{out} drawn")


def _rates(text: str | None) -> list[float] | None:
    """Parse the rates of groups; None for a single group.

    Raises:
        UserError: the text is no list of numbers, or one is not above 0.
    """
    rates = None if text is None else _numbers("--rates", text)
    if rates is not None and min(rates) <= 0:
        raise UserError(f"--rates holds {min(rates):g}, and each must be above 0")
    return rates


def _count(pairs: int | None, rates: list[float] | None) -> int:
    """The number of pairs, or of what stands for them, at each rate; 1 without rates.

    Raises:
        UserError: a number is asked for, and there are no rates.
    """
    if rates is not None:
        return PAIRS if pairs is None else pairs
    if pairs is not None:
        raise UserError(
            f"--pairs is {pairs}, and there is a single one without a rate. Add --rates, such as --rates 10, or leave "
            f"--pairs out"
        )
    return 1


class _Protocol(NamedTuple):
    """The options of which one says what is done to a synapse; --dt is also the lag of quadruplets."""

    dt: str | None
    triplets: str | None
    quadruplets: str | None
    clamp: str | None

    def points(self, rule: str, rates: list[float] | None, count: int, among: dict[str, Any]) -> list[Point]:
        """Measure the synapse of a rule, `count` times at each rate, with further arguments of `recording.window`.

        Raises:
            UserError: there are options of several protocols, or one has another form.
        """
        from neurorules.rules import RULES
        from neurorules.torch_path.recording import window as measure

        options = [f"--{name}" for name in ("triplets", "quadruplets", "clamp") if getattr(self, name) is not None]
        if self.dt is not None and options != ["--quadruplets"]:
            options = ["--dt", *options]
        if len(options) > 1:
            raise UserError(f"{' and '.join(options)} are different experiments on a synapse. Give one of them")
        own = RULES.make(own_part(rule, "rule"))
        if self.clamp is not None:
            return measure.clamped(own, _numbers("--clamp", self.clamp), rates, pulses=count, **among)
        if self.triplets is not None:
            return measure.triplets(own, _triplets(self.triplets), rates, count=count, **among)
        if self.quadruplets is not None:
            between, lag = _numbers("--quadruplets", self.quadruplets), _lag(self.dt)
            return measure.quadruplets(own, between, rates, lag_ms=lag, count=count, **among)
        return measure.window(own, _numbers("--dt", self.dt or LAGS), rates, pairs=count, **among)


def _triplets(text: str) -> list[tuple[float, float]]:
    """Parse the lags of triplets, such as 5:-5,10:-10.

    Raises:
        UserError: the text has another form.
    """
    lags = []
    for piece in text.split(","):
        numbers = [_number(part) for part in piece.split(":")]
        if len(numbers) != 2 or None in numbers:
            raise UserError(
                f"--triplets is '{text:.80}', where '{piece:.40}' is not a pair of lags. Write 5:-5,10:-10,-5:5"
            )
        lags.append((float(numbers[0] or 0), float(numbers[1] or 0)))
    return lags


def _lag(dt: str | None) -> float:
    """The lag of both pairs of a quadruplet, which --dt gives.

    Raises:
        UserError: it gives several.
    """
    if dt is None:
        return QUADRUPLET_LAG_MS
    lags = _numbers("--dt", dt)
    if len(lags) != 1:
        raise UserError(f"--dt is '{dt:.80}', and both pairs of all --quadruplets have one lag. Write --dt 5")
    return lags[0]


def _machine(path: str) -> Changes:
    """Choose the function that moves the synapses on a path."""
    if path_of(path) == "continuous":
        from neurorules.brian2_continuous.window import changes as in_brian2

        return in_brian2
    from neurorules.torch_path.recording.window import changes

    return changes


def _row(point: Point) -> list[str]:
    """The cells of a row: lag, lags, time between pairs or clamp; rate; and change."""
    return [place_of(point), "-" if point.rate_hz is None else f"{point.rate_hz:g}", f"{point.dw:+.6g}"]


def _rows(points: Sequence[Point]) -> list[dict[str, float | None]]:
    return [asdict(point) for point in points]


def _numbers(option: str, text: str) -> list[float]:
    """Parse a list of numbers, or `first:last:step` with both ends included.

    Raises:
        UserError: the text has neither form, or there are more numbers than `MOST`.
    """
    numbers = [_number(part) for part in text.replace(":", ",").split(",")]
    parts = [part for part in numbers if part is not None]
    if len(parts) < len(numbers):
        raise UserError(f"{option} is '{text:.80}', which is not a list of numbers. Write 1,10,20 or first:last:step")
    if ":" not in text:
        return parts
    if len(parts) != 3 or "," in text or parts[2] <= 0 or parts[1] < parts[0]:
        raise UserError(f"{option} is '{text:.80}'. Write first:last:step with first below last and a step above 0")
    first, last, step = parts
    if (last - first) / step >= MOST:
        raise UserError(f"{option} is '{text:.80}', which is more than {MOST} numbers, the maximum. Use a longer step")
    count = int((last - first) / step + 1e-9) + 1
    return [first + number * step for number in range(count)]


def _number(text: str) -> float | None:
    """A number of at most `LARGEST`; None for another text."""
    try:
        number = float(text)
    except ValueError:
        return None
    return number if abs(number) <= LARGEST else None
