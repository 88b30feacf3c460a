"""The summary at the top of a report: a few sentences that are generated from the numbers."""

from __future__ import annotations

from html import escape
from typing import NamedTuple

from neurorules.compare.report.finding_of_figures import sentences
from neurorules.compare.report.markup import code
from neurorules.compare.report.numbers import (
    Number,
    average,
    digits_of_points,
    fixed,
    interval,
    percent,
    plain_number,
    points,
    points_interval,
)
from neurorules.compare.report.pairs import paired
from neurorules.compare.report.reading import (
    GLOBAL_RULE,
    READOUT,
    Comparison,
    Row,
    goes_backward,
    is_control,
    is_global,
    layer_order,
)

PROBLEMS = {
    "weight_symmetry": "symmetric weights",
    "non_local_signals": "non-local signals",
    "frozen_activity": "frozen activity",
    "update_locking": "update locking",
}
"""The four problems of backpropagation, as Dellaferrera and Kreiman (2022) name them."""
MOST_NAMES = 4
"""The largest number of rules that a sentence names."""


class Tile(NamedTuple):
    """A key number as the page shows it: the number, its title, and a line below."""

    number: str
    title: str
    below: str


class Finding(NamedTuple):
    """The beginning of the page: a headline and further sentences, all in HTML, and key numbers."""

    headline: str
    details: list[str]
    tiles: list[Tile]


def find(comparison: Comparison) -> Finding:
    """Summarise a comparison by its best rule without a backward pass, or by its best rule if there is none."""
    if comparison.figure != "accuracy":
        headline, *details = sentences(comparison)
        return Finding(headline, [*details, *filter(None, [_seed_note(comparison)])], [])
    candidates = [row for row in comparison.rules if not is_control(row) and not is_global(row)]
    local = [row for row in candidates if not goes_backward(comparison, row)]
    best = _best(local or candidates)
    if best is None:
        only = _best(list(comparison.rules))
        return Finding(_reached(only) + "." if only else "Nothing was measured.", [_seed_note(comparison)], [])
    kind = "without a backward pass" if local else "that carry errors backward"
    rivals = local or candidates
    rank = "level with others as the best" if _is_level(best, rivals) else "the best"
    among = f", {rank} of {len(rivals)} rules {kind}," if len(rivals) > 1 else ""
    alone = "" if among else " without a backward pass" if local else ", with a backward pass"
    headline = f"{_reached(best, among)}{alone}{_gap(best)}"
    details = [_rivals(comparison, best, local or candidates), _against_controls(comparison, best)]
    details += [_others_against_controls(comparison, best), _needs(best)]
    details += [_agreement(comparison, best), _seed_note(comparison)]
    return Finding(headline, [line for line in details if line], _tiles(comparison, best))


def _accuracy(row: Row, name: str = "test_accuracy") -> Number | None:
    """The mean accuracy of a rule, in 0..1; None if it was not measured."""
    return (row.get(name) or {}).get("mean")


def _is_level(best: Row, rows: list[Row]) -> bool:
    """Whether another rule has the same mean test and validation accuracy."""
    names = ("test_accuracy", "validation_accuracy")
    return any(row is not best and all(_accuracy(row, a) == _accuracy(best, a) for a in names) for row in rows)


def _best(rows: list[Row]) -> Row | None:
    """The best rule by validation accuracy, since the test set must not choose; by test accuracy where one lacks it."""
    rows = [row for row in rows if _accuracy(row) is not None]
    name = "validation_accuracy" if all(_accuracy(row, "validation_accuracy") is not None for row in rows) else None
    return max(rows, key=lambda row: _accuracy(row, name or "test_accuracy") or 0.0, default=None)


def _seeds(row: Row) -> str:
    """The number of seeds in words."""
    count = row.get("seeds") or 1
    return "1 seed" if count == 1 else f"{count} seeds"


def _bounds(row: Row) -> tuple[Number, Number] | None:
    """Bounds of the interval of a rule's test accuracy, in 0..1; None if there is none."""
    test = row.get("test_accuracy") or {}
    low, high = test.get("low"), test.get("high")
    return None if low is None or high is None else (low, high)


def _reached(row: Row, among: str = "") -> str:
    """The beginning of a sentence: which test accuracy a rule reaches; `among` stands behind its name."""
    bounds = _bounds(row)
    spread = f"95 % interval {interval(*bounds)}, {_seeds(row)}" if bounds else f"{_seeds(row)}, no interval"
    return f"{code(row['rule'])}{among} reaches <b>{percent(_accuracy(row))} %</b> on the test set ({spread})"


def _gap(row: Row) -> str:
    """The end of that sentence: how far the rule is from backpropagation through time."""
    difference = row.get("difference") or {}
    mean, low, high = (difference.get(name) for name in ("mean", "low", "high"))
    if mean is None:
        return f"; {code(GLOBAL_RULE)} took no part, so how far this is from global learning stays open."
    other = code(difference.get("to") or GLOBAL_RULE)
    side = "below" if mean < 0 else "above"
    digits = digits_of_points(mean, low, high)
    size = f"{abs(100 * mean):.{digits}f} points {side} {other}"
    if low is None or high is None:
        return f": {size}, seen once. A difference without an interval may be luck; run more seeds."
    bounds = points_interval(low, high, digits)
    shown = f"paired difference {points(mean, digits)} points, 95 % interval {bounds}"
    if low <= 0 <= high:
        return f". These seeds do not tell it apart from {other} ({shown})."
    return f", <b>{size}</b> ({shown})."


def _is_ahead(comparison: Comparison, best: Row, other: Row) -> bool:
    """Whether a rule is better than another: by paired seeds, or by their means where they share no seed."""
    pair = paired(comparison, best["rule"], other["rule"])
    return pair.is_ahead if pair is not None else (_accuracy(best) or 0) > (_accuracy(other) or 0)


def _rivals(comparison: Comparison, best: Row, rows: list[Row]) -> str:
    """A sentence on the other rules of the same kind which the best one does not beat seed by seed."""
    others = [row for row in rows if row is not best and _accuracy(row) is not None]
    if not others or _bounds(best) is None:
        return ""
    near = [row["rule"] for row in others if not _is_ahead(comparison, best, row)]
    if not near:
        return "Seed by seed it is ahead of every other rule of its kind; no 95 % interval of a difference holds 0."
    names = ", ".join(code(name) for name in near[:MOST_NAMES])
    names += f" and {len(near) - MOST_NAMES} more" if len(near) > MOST_NAMES else ""
    return f"Seed by seed it is not told apart from {names}: a 95 % interval of the difference holds 0."


def _against_controls(comparison: Comparison, best: Row) -> str:
    """A sentence that compares the best rule with its controls."""
    controls = [row for row in comparison.controls_of(best) if _accuracy(row) is not None]
    unbeaten = _unbeaten(comparison, best)
    if unbeaten:
        return f"<b>Not shown to be better than the control</b> {_shown(unbeaten)}: do the hidden layers learn?"
    return f"It is ahead of the controls: {_shown(controls)}." if controls else ""


def _others_against_controls(comparison: Comparison, best: Row) -> str:
    """A sentence on the other rules that do not beat their own controls."""
    others = [row for row in comparison.rules if row is not best and not is_control(row)]
    unbeaten = {row["rule"]: _unbeaten(comparison, row) for row in others if _accuracy(row) is not None}
    lines = [f"{code(rule)} than {_shown(controls)}" for rule, controls in unbeaten.items() if controls]
    return f"<b>Not shown to be better than the control</b>: {'; '.join(lines)}." if lines else ""


def _unbeaten(comparison: Comparison, rule: Row) -> list[Row]:
    """The controls that a rule is not ahead of."""
    controls = (row for row in comparison.controls_of(rule) if _accuracy(row) is not None)
    return [row for row in controls if not _is_ahead(comparison, rule, row)]


def _shown(controls: list[Row]) -> str:
    """The names of controls with their test accuracies."""
    return ", ".join(f"{code(row['rule'])} ({percent(_accuracy(row))} %)" for row in controls)


def _needs(best: Row) -> str:
    """A sentence on what a rule's signal needs and which problems of backpropagation it keeps."""
    needs = ", ".join(escape(need.replace("_", " ")) for need in best.get("needs") or []) or "nothing"
    problems = best.get("problems") or {}
    owned = [title for name, title in PROBLEMS.items() if (problems.get(name) or {}).get("has")]
    line = f"Its signal needs: {needs}."
    if not problems:
        return line
    if not owned:
        return f"{line} It has none of backpropagation's four problems."
    return f"{line} Of backpropagation's four problems it keeps: {', '.join(owned)}."


def _last_angles(comparison: Comparison, rule: str) -> dict[str, Number]:
    """The mean angle to the gradient after the last epoch, in degrees, by hidden layer."""
    rows = [row for row in comparison.alignment if row["rule"] == rule and row["layer"] != READOUT]
    last = max((row["epoch"] for row in rows), default=0)
    angles: dict[str, Number] = {}
    for layer in sorted({row["layer"] for row in rows}, key=layer_order):
        angle = average([row for row in rows if row["layer"] == layer and row["epoch"] == last], "angle_deg")
        if angle is not None:
            angles[layer] = angle
    return angles


def _agreement(comparison: Comparison, best: Row) -> str:
    """A sentence on the angles between a rule's update and the gradient."""
    angles = _last_angles(comparison, best["rule"])
    if not angles:
        return ""
    shown = ", ".join(f"{fixed(angle, 0)}° in {escape(layer)}" for layer, angle in angles.items())
    return f"After the last epoch its update stands at {shown} to the gradient (90° is chance)."


def _seed_note(comparison: Comparison) -> str:
    """A sentence that warns of a comparison with one seed."""
    return "" if comparison.seeds > 1 else "Everything here is one seed: read it as a sketch, not as a result."


def _tiles(comparison: Comparison, best: Row) -> list[Tile]:
    """The key numbers of a rule, as far as they were measured."""
    tiles = [Tile(f"{percent(_accuracy(best))} %", "test accuracy", str(best["rule"]))]
    difference = best.get("difference") or {}
    if (mean := difference.get("mean")) is not None:
        low, high = difference.get("low"), difference.get("high")
        digits = digits_of_points(mean, low, high)
        below = "one seed" if low is None or high is None else f"{points_interval(low, high, digits)}, paired"
        tiles.append(Tile(points(mean, digits), f"points to {difference.get('to') or GLOBAL_RULE}", below))
    angles = _last_angles(comparison, best["rule"])
    if angles:
        low_angle, high_angle = min(angles.values()), max(angles.values())
        number = fixed(low_angle, 0) if round(low_angle) == round(high_angle) else f"{low_angle:.0f}–{high_angle:.0f}"
        tiles.append(Tile(f"{number}°", "to the gradient", "hidden layers, last epoch; 90° is chance"))
    moved_bytes, reference = best.get("learning_bytes_per_sample"), comparison.reference
    if moved_bytes is not None:
        others = reference.get("learning_bytes_per_sample")
        below = f"{_times(moved_bytes / others)} {GLOBAL_RULE}'s" if others else "by what it needs"
        tiles.append(Tile(plain_number(moved_bytes / 1000), "kB moved to learn a sample", below))
    fact = comparison.fact(best["rule"]) or {}
    if fact.get("memory_growth") is not None:
        below = "4 times the steps, measured"
        tiles.append(Tile(f"× {fact['memory_growth']:.2f}", "memory while learning", below))
    return tiles


def _times(ratio: float) -> str:
    """A ratio in words, such as "1/80 of" or "2.5 times"."""
    return f"1/{1 / ratio:.0f} of" if 0 < ratio < 0.3 else f"{ratio:.2g} times"
