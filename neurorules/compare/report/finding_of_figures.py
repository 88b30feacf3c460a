"""The finding of a report where samples have no class: which rule has the best figure, and which controls it beats."""

from __future__ import annotations

from neurorules.compare.report.markup import code
from neurorules.compare.report.numbers import Number, plain_number
from neurorules.compare.report.pairs import paired
from neurorules.compare.report.reading import Comparison, Row, is_control
from neurorules.contracts.target import FIGURES

DIGITS = 4


def sentences(comparison: Comparison) -> list[str]:
    """Summarise a comparison by its best rule that is no control.

    Args:
        comparison: a comparison for a task whose figure is no accuracy.

    Returns:
        A headline and further sentences, in HTML.
    """
    best = _best(comparison)
    if best is None:
        return ["Nothing was measured."]
    test = best.get(f"test_{comparison.figure}") or {}
    low, high = test.get("low"), test.get("high")
    spread = "one seed" if low is None or high is None else f"95 % interval {_number(low)} to {_number(high)}"
    r2 = (best.get("test_r2") or {}).get("mean")
    more = "" if r2 is None else f"; R2 {_number(r2)}, where 0 is the error of the mean"
    words = FIGURES[comparison.figure].words
    reached = f"a {words} of <b>{_number(test.get('mean'))}</b> on the test set"
    headline = f"{code(best['rule'])} reaches {reached} ({spread}{more})."
    return [headline, *filter(None, (_against_controls(comparison, row) for row in _learning(comparison)))]


def _learning(comparison: Comparison) -> list[Row]:
    """The rows that are no control and were measured."""
    return [row for row in comparison.rules if not is_control(row) and _mean(comparison, row, "test") is not None]


def _mean(comparison: Comparison, row: Row, part: str) -> Number | None:
    return (row.get(f"{part}_{comparison.figure}") or {}).get("mean")


def _best(comparison: Comparison) -> Row | None:
    """The best rule by validation samples, since the test set must not choose; by test samples where one lacks
    these.
    """
    rows = _learning(comparison)
    part = "validation" if all(_mean(comparison, row, "validation") is not None for row in rows) else "test"
    sign = 1 if FIGURES[comparison.figure].higher else -1
    return max(rows, key=lambda row: sign * (_mean(comparison, row, part) or 0.0), default=None)


def _against_controls(comparison: Comparison, row: Row) -> str:
    """A sentence that compares a rule with its controls, seed by seed."""
    controls = [one for one in comparison.controls_of(row) if _mean(comparison, one, "test") is not None]
    unbeaten = [one for one in controls if not _is_ahead(comparison, row, one)]
    if unbeaten:
        return (
            f"<b>Not shown to be better than the control</b>: {code(row['rule'])} than {_shown(comparison, unbeaten)}."
        )
    return f"{code(row['rule'])} is ahead of its controls: {_shown(comparison, controls)}." if controls else ""


def _is_ahead(comparison: Comparison, row: Row, control: Row) -> bool:
    pair = paired(comparison, row["rule"], control["rule"])
    if pair is not None:
        return pair.is_ahead
    sign = 1 if FIGURES[comparison.figure].higher else -1
    here, there = (_mean(comparison, one, "test") or 0.0 for one in (row, control))
    return sign * (here - there) > 0


def _shown(comparison: Comparison, rows: list[Row]) -> str:
    return ", ".join(f"{code(row['rule'])} ({_number(_mean(comparison, row, 'test'))})" for row in rows)


def _number(value: Number | None) -> str:
    return plain_number(value, DIGITS)
