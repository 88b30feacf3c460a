"""Numbers as a reader wants them: few digits, a unit, a dash where there is none."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import mean
from typing import Any

Number = float | int  # JSON knows one kind of number

NONE = "–"
MINUS = "−"


def percent(value: Number | None, digits: int = 1) -> str:
    """A share in percent, without the sign."""
    return NONE if value is None else signed_text(f"{100 * value:.{digits}f}")


def points(value: Number, digits: int = 1) -> str:
    """A difference of shares in points, with its sign."""
    return signed_text(f"{100 * value:+.{digits}f}")


def points_interval(low: Number | None, high: Number | None, digits: int = 1) -> str:
    """Both bounds of a difference in points; a dash where there are none."""
    return NONE if low is None or high is None else f"{points(low, digits)} to {points(high, digits)}"


def digits_of_points(*values: Number | None) -> int:
    """Places that several differences are shown with: two where one would show some of them as nothing."""
    return 2 if any(value and abs(100 * value) < 0.05 for value in values) else 1


def plain_number(value: Number | None, digits: int = 3) -> str:
    """A number with `digits` significant digits, thousands set apart by thin spaces."""
    if value is None:
        return NONE
    if value == 0:
        return "0"
    if abs(value) >= 10 ** (digits - 1):
        return signed_text(f"{value:,.0f}".replace(",", "\u2009"))
    if abs(value) < 1e-3:
        return signed_text(f"{value:.{digits - 1}e}")
    return signed_text(f"{value:.{digits}g}")


def fixed(value: Number | None, digits: int) -> str:
    """A number with `digits` places."""
    return NONE if value is None else signed_text(f"{value:.{digits}f}")


def signed_text(text: str) -> str:
    """The same number with a minus sign instead of a hyphen."""
    return text.replace("-", MINUS)


def average(rows: Sequence[Mapping[str, Any]], name: str) -> Number | None:
    """Mean of what is there; None where nothing is."""
    values = [row[name] for row in rows if row.get(name) is not None]
    return mean(values) if values else None


def clipped(value: Number) -> Number:
    """An accuracy's bound within 0..1, where accuracies live."""
    return min(1.0, max(0.0, value))


def interval(low: Number, high: Number) -> str:
    """Both bounds of an accuracy in percent."""
    return f"{percent(clipped(low))} to {percent(clipped(high))}"
