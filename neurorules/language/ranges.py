"""Ranges of numbers, written beside their types: `tau: Annotated[float, Range("(0, inf)")]`, or a name for it.

Whatever a user may give as a number has one, and not-a-number lies in none. `ranged` holds a factory's own callers to
them, `check_ranges` whoever has values by name.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, is_dataclass
from functools import cache, cached_property, wraps
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from neurorules.language.errors import UserError

LARGEST = 2**31 - 1
"""The largest whole number, which 32 bits hold, so that counts and seeds mean the same to every library below."""
F = TypeVar("F", bound=Callable[..., Any])


@dataclass(frozen=True)
class Range:
    """The numbers that an option may be.

    Args:
        interval: in the notation of mathematics, such as "[0, 1)"; infinity itself belongs to "[0, inf]" alone.
    """

    interval: str

    @cached_property
    def bounds(self) -> tuple[float, float]:
        """The lowest and the highest number."""
        low, high = self.interval[1:-1].split(",")
        return float(low), float(high)

    @cached_property
    def closed(self) -> tuple[bool, bool]:
        """Whether each of them belongs to the range."""
        return self.interval[0] == "[", self.interval[-1] == "]"

    def __contains__(self, value: Any) -> bool:
        (low, high), (with_low, with_high) = self.bounds, self.closed
        # Written so that a comparison with not-a-number, which is false, puts it outside.
        return (value > low or (with_low and value == low)) and (value < high or (with_high and value == high))

    def words(self, kind: str, value: Any) -> str:
        """Say in words what to give instead of a value, such as "a number above 0 and at most 1".

        Args:
            kind: such as "number" or "whole number".
            value: what was given; the largest whole number is named only where the value is larger.

        Returns:
            The words.
        """
        (low, high), (with_low, with_high) = self.bounds, self.closed
        if high == LARGEST and not (isinstance(value, int | float) and value > high):
            high = math.inf
        if with_low and with_high and math.isfinite(high - low) and not kind.endswith("whole number"):
            return f"a {kind} in [{low:.10g}, {high:.10g}]"
        limits = []
        if math.isfinite(low):
            limits.append(f"{'of at least' if with_low else 'above'} {low:.10g}")
        if math.isfinite(high):
            limits.append(f"{'at most' if with_high else 'below'} {high:.10g}")
        return f"a {kind} {' and '.join(limits)}".strip()


FINITE = Range("(-inf, inf)")
Number = Annotated[float, FINITE]
NonNegative = Annotated[float, Range("[0, inf)")]
Positive = Annotated[float, Range("(0, inf)")]
Fraction = Annotated[float, Range("[0, 1]")]
BelowOne = Annotated[float, Range("[0, 1)")]
"""The range of a decay that forgets, or of a probability that leaves something."""
Count = Annotated[int, Range(f"[1, {LARGEST}]")]
Whole = Annotated[int, Range(f"[0, {LARGEST}]")]
"""A whole number from 0 on: a seed, a place, a count that may be none."""
Seeds = Annotated[int, Range("[1, 10000]")]
"""How many seeds a comparison runs: more of them come from a slip of the keyboard."""
Jobs = Annotated[int, Range("[1, 1000]")]
"""How many processes work at once: more of them come from a slip of the keyboard."""
Classes = Annotated[int, Range(f"[2, {LARGEST}]")]
Steps = Annotated[int, Range("[1, 1000000]")]
"""Time steps of a sample: more of them come from a slip of the keyboard."""


@cache
def hints_of(factory: Callable[..., Any]) -> dict[str, Any]:
    """The annotated types of what a dataclass, class or function takes, ranges included; text where nothing is said."""
    target = factory.__init__ if inspect.isclass(factory) and not is_dataclass(factory) else factory
    hints = get_type_hints(target, include_extras=True)
    return {name: hints.get(name, str) for name in inspect.signature(factory).parameters}


@cache
def declared(kind: Any) -> tuple[type, Range] | None:
    """Type and range of an annotation such as `Annotated[int, Range("[1, 9]")] | None`; None where it has none.

    A plain `float` stands for any finite number.
    """
    if kind is float:
        return float, FINITE
    if get_origin(kind) is Annotated:
        base, *extras = get_args(kind)
        return next(((base, extra) for extra in extras if isinstance(extra, Range)), None) or declared(base)
    alternatives = get_args(kind) if get_origin(kind) in (Union, UnionType) else ()
    return next((pair for part in alternatives if (pair := declared(part)) is not None), None)


def may_be_open(kind: Any) -> bool:
    """Whether an annotation allows None, which leaves a value open."""
    if get_origin(kind) is Annotated:
        return may_be_open(get_args(kind)[0])
    return NoneType in get_args(kind)


def words_of(kind: Any) -> tuple[str, ...]:
    """The words that an annotation allows beside numbers, such as "same" in `Literal["same"] | Whole`."""
    parts = get_args(kind) if get_origin(kind) in (Union, UnionType) else (kind,)
    return tuple(word for part in parts if get_origin(part) is Literal for word in get_args(part))


def check_range(name: str, value: Any, kind: Any) -> None:
    """Refuse a number outside its range.

    Args:
        name: how the error names it, such as "--lr" or "neuron 'lif': beta".
        value: what was given; None where that may be left open.
        kind: the annotated type, such as `Positive`.

    Raises:
        UserError: it lies outside, or is no number.
    """
    type_and_range = declared(kind)
    if type_and_range is None or (value is None and may_be_open(kind)) or value in words_of(kind):
        return
    type_, range_ = type_and_range
    try:
        fits = value in range_ and (type_ is not int or value == int(value))
        finite = math.isfinite(value)
    except (TypeError, ValueError, OverflowError, RuntimeError):  # the last is torch's, for tensors of many values
        fits = finite = False
    if not fits:
        word = "whole number" if type_ is int else "number"
        raise UserError(f"{name} is {value!s:.40}. Give {range_.words(word if finite else f'finite {word}', value)}")


def check_ranges(owner: str, factory: Callable[..., Any], values: Mapping[str, Any]) -> None:
    """Refuse numbers outside the ranges that a factory declares.

    Args:
        owner: how errors name the thing, such as "neuron 'lif'"; empty for settings of a run, named as options.
        factory: a dataclass or function that declares ranges.
        values: by name; those that are left out are not checked.

    Raises:
        UserError: one lies outside.
    """
    for name, kind in hints_of(factory).items():
        if name in values:
            check_range(f"{owner}: {name}" if owner else f"--{name.replace('_', '-')}", values[name], kind)


def ranged(owner: str) -> Callable[[F], F]:
    """Hold whoever calls a function, or makes a dataclass, to the ranges that it declares.

    Args:
        owner: how errors name the thing, such as "neuron 'lif'".

    Raises:
        UserError: on a call with a number outside its range.
    """

    def decorate(factory: F) -> F:
        if not inspect.isclass(factory):
            return _checked(owner, factory, factory, 0)
        factory.__init__ = _checked(owner, factory, factory.__init__, 1)  # type: ignore[method-assign]
        return factory

    return decorate


def _checked(owner: str, declares: Callable[..., Any], call: Any, leading: int) -> Any:
    names = tuple(inspect.signature(call).parameters)[leading:]

    @wraps(call)
    def checked(*args: Any, **options: Any) -> Any:
        check_ranges(owner, declares, {**dict(zip(names, args[leading:], strict=False)), **options})
        return call(*args, **options)

    return checked
