"""Numbers as text for a reader: few digits, and a dash where there is no number."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import mean
from typing import Any

Number = float | int
"""A number of `compare.json`; JSON has only one type of numbers."""

NONE = "–"
"""The text for a missing number."""
MINUS = "−"


def percent(value: Number | None, digits: int = 1) -> str:
    """A share in percent, without the percent sign.

    Args:
        value: in 0..1, or None.
        digits: number of places.

    Returns:
        The number; a dash for None.
    """
    return NONE if value is None else signed_text(f"{100 * value:.{digits}f}")


def points(value: Number, digits: int = 1) -> str:
    """A difference of shares in percentage points, with its sign.

    Args:
        value: in -1..1.
        digits: number of places.

    Returns:
        The number, with plus or minus.
    """
    return signed_text(f"{100 * value:+.{digits}f}")


def points_interval(low: Number | None, high: Number | None, digits: int = 1) -> str:
    """Both bounds of a difference of shares in percentage points.

    Args:
        low, high: in -1..1, or None.
        digits: number of places.

    Returns:
        The bounds, such as "+0.1 to +0.4"; a dash where one is None.
    """
    return NONE if low is None or high is None else f"{points(low, digits)} to {points(high, digits)}"


def digits_of_points(*values: Number | None) -> int:
    """The number of places to show differences with: two if one place would show some of them as 0."""
    return 2 if any(value and abs(100 * value) < 0.05 for value in values) else 1


def plain_number(value: Number | None, digits: int = 3) -> str:
    """A number with few significant digits, its thousands set apart by thin spaces.

    Args:
        value: the number, or None.
        digits: number of significant digits.

    Returns:
        The number; a dash for None.
    """
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
    """A number with a fixed number of places.

    Args:
        value: the number, or None.
        digits: number of places.

    Returns:
        The number; a dash for None.
    """
    return NONE if value is None else signed_text(f"{value:.{digits}f}")


def signed_text(text: str) -> str:
    """The text of a number with a minus sign instead of a hyphen."""
    return text.replace("-", MINUS)


def average(rows: Sequence[Mapping[str, Any]], name: str) -> Number | None:
    """The mean of one column.

    Args:
        rows: the rows of a list of `compare.json`.
        name: the name of the column.

    Returns:
        The mean of the values that are there; None if there are none.
    """
    values = [row[name] for row in rows if row.get(name) is not None]
    return mean(values) if values else None


def clipped(value: Number) -> Number:
    """The bound of an accuracy, cut off at 0 and 1."""
    return min(1.0, max(0.0, value))


def interval(low: Number, high: Number) -> str:
    """Both bounds of an accuracy in percent.

    Args:
        low, high: the bounds; values outside 0..1 are cut off.

    Returns:
        The bounds, such as "97.9 to 98.4".
    """
    return f"{percent(clipped(low))} to {percent(clipped(high))}"
