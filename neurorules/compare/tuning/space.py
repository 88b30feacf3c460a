"""The search space: a range or a choice for each setting, as in `lr=1e-4..1e-1:log,norm=streaming|none`."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

from neurorules.compare.rows import OWN
from neurorules.compare.tuning.settings import Target, setting_target
from neurorules.language.config import SETTINGS, TrainConfig
from neurorules.language.errors import UserError, unknown
from neurorules.language.options import convert, parse_list
from neurorules.language.ranges import Range as Interval
from neurorules.language.ranges import check_range, declared

Value = float | int | str
SPACE = "lr=1e-4..1e-1:log,readout_lr=1e-4..1e-1:log"
"""The default search space: both learning rates over three decades."""
POINTS = "points="
"""The word before the number of evenly spaced points of a range."""
Points = Annotated[int, Interval("[2, 10000]")]
DIGITS = 3
"""Number of significant digits of a proposed number, so that the printed value is the exact one."""
HIDDEN_ONLY = frozenset({"lr", "signal_lr", "optimizer", "signal", "dw", "targets", "schedule"})
"""Settings that do not matter for a control whose hidden layers do not learn."""


@dataclass(frozen=True)
class Range:
    """Numbers between two bounds, both included.

    Args:
        low, high: the bounds, low < high; both above 0 if the scale is logarithmic.
        log: whether each decade is equally likely; otherwise each number is.
        whole: whether only whole numbers are tried.
    """

    low: float
    high: float
    log: bool = False
    whole: bool = False
    words: ClassVar[tuple[Value, ...]] = ()
    """None: of a range the ends are checked before anything is tried, and not each value."""

    @property
    def ends(self) -> tuple[Value, ...]:
        """The lowest and the highest number of the range."""
        return self.rounded(self.low), self.rounded(self.high)

    def at(self, share: float) -> Value:
        """The number at a share, in 0..1, of the way from low to high."""
        low, high = (math.log(bound) if self.log else bound for bound in (self.low, self.high))
        number = low + share * (high - low)
        return self.rounded(math.exp(number) if self.log else number)

    def rounded(self, value: Value) -> Value:
        """Round a number to three significant digits or to an integer, within the bounds."""
        number = min(max(float(value), self.low), self.high)
        return round(number) if self.whole else min(max(float(f"{number:.{DIGITS}g}"), self.low), self.high)

    def holds(self, value: Value | None) -> bool:
        """Whether a number lies within the bounds."""
        return isinstance(value, int | float) and self.low <= value <= self.high

    def is_edge(self, value: Value) -> bool:
        """Whether a value lies within a tenth of a bound, so that a better one may lie beyond."""
        return not isinstance(value, str) and (value <= self.low * 1.1 or value >= self.high / 1.1)


@dataclass(frozen=True)
class Choice:
    """A few values, such as names of normalisations.

    Args:
        values: what is tried, in this order; None leaves the setting to the rule.
    """

    values: tuple[Value, ...]

    @property
    def words(self) -> tuple[Value, ...]:
        """The values, each of which is checked before anything is tried."""
        return self.values

    @property
    def ends(self) -> tuple[Value, ...]:
        """All values except None, which leaves the setting to the rule."""
        return tuple(value for value in self.values if value is not None)

    def at(self, share: float) -> Value:
        """The value at a share, in 0..1, of the way through the list."""
        return self.values[min(int(share * len(self.values)), len(self.values) - 1)]

    def rounded(self, value: Value) -> Value:
        """The value itself: nothing is rounded."""
        return value

    def holds(self, value: Value | None) -> bool:
        """Whether a value is one of the choice."""
        return value in self.values

    def is_edge(self, value: Value) -> bool:
        """Whether a value lies at an edge: never, for a list has no bounds."""
        return False


Dimension = Range | Choice
Space = dict[str, Dimension]


def parse_space(text: str) -> Space:
    """Read the settings that are searched, by name.

    Args:
        text: comma-separated `name=low..high`, `name=low..high:log`, or `name=one|two|three` (see `read_dimension`).

    Returns:
        The range or choice of each setting.

    Raises:
        UserError: there is nothing to search, a setting is unknown (the nearest is offered) or stands twice, a piece is
            neither a range nor a choice, or bounds do not rise.
    """
    space: Space = {}
    for piece in parse_list(text):
        key, equals, values = (part.strip() for part in piece.partition("="))
        name = key.replace("-", "_")
        if not equals or not values:
            raise UserError(
                f"'{piece}' in --space is not a setting. Write name=low..high:log, such as lr=1e-4..1e-1:log"
            )
        if name not in OWN:
            raise unknown("setting in --space", key, OWN)
        if name in space:
            raise UserError(f"setting '{name}' is given twice in --space. Keep one of them")
        where = f"'{piece}' in --space" if ".." in values else "--space"
        space[name] = read_dimension(setting_target(name, "--space"), values, where)
    if not space:
        raise UserError(f"--space searches nothing. Give settings, for example {SPACE}")
    return space


def read_dimension(target: Target, choice: str | Sequence[Any], where: str) -> Dimension:
    """Read the range or choice of one setting or option.

    Args:
        target: the setting or option.
        choice: `low..high`, `low..high:log`, the same with `:points=4`, or `one|two|three`; or a list of values.
        where: the name of the place in messages, such as "'lr=1..2' in --space".

    Returns:
        A range; or a choice, for words, for a list, and for evenly spaced points of a range.

    Raises:
        UserError: it is neither, bounds are not finite or do not rise, or a value is not possible.
    """
    if isinstance(choice, str) and ".." in choice:
        return _range(target, choice, where)
    words = [word.strip() for word in choice.split("|")] if isinstance(choice, str) else choice
    if not words:
        raise UserError(f"{where} is an empty list. Give the values that are to be tried")
    return Choice(tuple(dict.fromkeys(target.read(word) for word in words)))


def _range(target: Target, text: str, where: str) -> Dimension:
    """The range that a text describes, or its points."""
    bounds, *extras = text.split(":")
    scales = [extra for extra in extras if not extra.startswith(POINTS)]
    if scales not in ([], ["log"]):
        raise unknown(f"scale in {where}:", ":".join(scales), ["log"])
    number = declared(target.kind)
    if number is None:
        raise UserError(f"{where}: {target.name} is not a number. Write a choice, for example one|two")
    try:
        low, high = (float(bound) for bound in bounds.split(".."))
    except ValueError:
        raise UserError(f"{where} is not a range. Write low..high, for example 1e-4..1e-1") from None
    bounded = Range(low, high, scales == ["log"], whole=number[0] is int)
    if not (math.isfinite(low) and math.isfinite(high) and low < high) or (bounded.log and low <= 0):
        above = " from above 0" if bounded.log else ""
        raise UserError(f"{where} must rise{above}, between finite bounds. Write low..high, for example 1e-4..1e-1")
    for bound in (low, high):
        target.read(bounded.rounded(bound))
    points = [extra.removeprefix(POINTS) for extra in extras if extra.startswith(POINTS)]
    if not points:
        return bounded
    count = convert(f"points in {where}", int, points[0])
    check_range(f"points in {where}", count, Points)
    return Choice(tuple(dict.fromkeys(bounded.at(place / (count - 1)) for place in range(count))))


def space_of(row: TrainConfig, space: Space, frozen: bool) -> Space:
    """The space that is searched for one row: the settings that are not given by its own text or by an option for all
    rows.

    Args:
        row: its configuration before the search.
        space: the search space of all rows.
        frozen: whether it is a control, whose hidden layers do not learn.

    Returns:
        The part of the space that is searched for the row.

    Raises:
        UserError: no setting is left to search.
    """
    plain = TrainConfig()
    fixed = {name for name in SETTINGS if getattr(row, name) != getattr(plain, name)}
    own = {name: dimension for name, dimension in space.items() if name not in fixed}
    if frozen:
        own = {name: dimension for name, dimension in own.items() if name not in HIDDEN_ONLY}
    if not own:
        taken = ", ".join(name for name in space if name in fixed)
        reasons = ["its hidden layers do not learn"] if frozen else []
        reasons += [f"one value stands for it already ({taken})"] if taken else []
        raise UserError(
            f"nothing is left to search for '{row.rule}': {', and '.join(reasons)}. Leave it out, or add a setting to "
            f"--space, such as readout_lr=1e-4..1e-1:log"
        )
    return own
