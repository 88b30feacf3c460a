"""Ranges of numbers, which are written next to the type: `tau: Annotated[float, Range("(0, inf)")]`; and closed lists
of words, `form: Literal["surrogate", "voltage"]`.

Every number that a user may give has a range, and no range contains NaN. `ranged` checks the arguments of a factory at
each call; `check_ranges` checks values that are given by name.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, is_dataclass
from functools import cache, cached_property, wraps
from operator import index
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from neurorules.language.errors import UserError

LARGEST = 2**31 - 1
"""The largest integer, that of 32 bits, so that counts and seeds are valid in every library that receives them."""
F = TypeVar("F", bound=Callable[..., Any])


@dataclass(frozen=True)
class Range:
    """The numbers that an option may have as its value.

    Args:
        interval: an interval in mathematical notation, such as "[0, 1)"; only "[0, inf]" contains infinity itself.
    """

    interval: str

    @cached_property
    def bounds(self) -> tuple[float, float]:
        """The lowest and the highest number."""
        low, high = self.interval[1:-1].split(",")
        return float(low), float(high)

    @cached_property
    def closed(self) -> tuple[bool, bool]:
        """Whether the lowest and the highest number belong to the range."""
        return self.interval[0] == "[", self.interval[-1] == "]"

    def __contains__(self, value: Any) -> bool:
        (low, high), (with_low, with_high) = self.bounds, self.closed
        # Every comparison with NaN is false, so NaN is outside.
        return (value > low or (with_low and value == low)) and (value < high or (with_high and value == high))

    def words(self, kind: str, value: Any) -> str:
        """Describe the legal values for an error message, such as "a number above 0 and at most 1".

        Args:
            kind: the noun, such as "number" or "whole number".
            value: the value that was given; the largest integer is mentioned only if the value is larger.

        Returns:
            The description.
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
"""The range of a decay that is not 1, or of a probability that is not 1."""
Count = Annotated[int, Range(f"[1, {LARGEST}]")]
Whole = Annotated[int, Range(f"[0, {LARGEST}]")]
"""An integer from 0: a seed, an index, or a count that may be 0."""
Seeds = Annotated[int, Range("[1, 10000]")]
"""Number of seeds of a comparison; a larger number is a typing error."""
Jobs = Annotated[int, Range("[1, 1000]")]
"""Number of processes that work at the same time; a larger number is a typing error."""
Classes = Annotated[int, Range(f"[2, {LARGEST}]")]
Steps = Annotated[int, Range("[1, 1000000]")]
"""Number of time steps of a sample; a larger number is a typing error."""


@cache
def hints_of(factory: Callable[..., Any]) -> dict[str, Any]:
    """The annotated types, with ranges, of the arguments of a dataclass, class or function; `str` without
    annotation."""
    target = factory.__init__ if inspect.isclass(factory) and not is_dataclass(factory) else factory
    hints = get_type_hints(target, include_extras=True)
    return {name: hints.get(name, str) for name in inspect.signature(factory).parameters}


@cache
def declared(kind: Any) -> tuple[type, Range] | None:
    """Type and range of an annotation such as `Annotated[int, Range("[1, 9]")] | None`; None if it has no range.

    A plain `float` means any finite number.
    """
    if kind is float:
        return float, FINITE
    if get_origin(kind) is Annotated:
        base, *extras = get_args(kind)
        return next(((base, extra) for extra in extras if isinstance(extra, Range)), None) or declared(base)
    alternatives = get_args(kind) if get_origin(kind) in (Union, UnionType) else ()
    return next((pair for part in alternatives if (pair := declared(part)) is not None), None)


def may_be_open(kind: Any) -> bool:
    """Whether an annotation allows None, so that the value may be left open."""
    if get_origin(kind) is Annotated:
        return may_be_open(get_args(kind)[0])
    return NoneType in get_args(kind)


def words_of(kind: Any) -> tuple[str, ...]:
    """The words that an annotation allows beside numbers, such as "same" in `Literal["same"] | Whole`."""
    if get_origin(kind) is Annotated:
        return words_of(get_args(kind)[0])
    parts = get_args(kind) if get_origin(kind) in (Union, UnionType) else (kind,)
    return tuple(word for part in parts if get_origin(part) is Literal for word in get_args(part))


def only_words(kind: Any) -> bool:
    """Whether an annotation allows nothing but words of a closed list, and perhaps None."""
    if get_origin(kind) is Annotated:
        return only_words(get_args(kind)[0])
    parts = get_args(kind) if get_origin(kind) in (Union, UnionType) else (kind,)
    return all(part is NoneType or (get_origin(part) is Literal and _are_texts(get_args(part))) for part in parts)


def _are_texts(words: tuple[Any, ...]) -> bool:
    return all(isinstance(word, str) for word in words)


def check_range(name: str, value: Any, kind: Any) -> None:
    """Refuse a number outside its range, or a word that is not in its list.

    Args:
        name: how the error names the value, such as "--lr" or "neuron 'lif': beta".
        value: the value that was given; None where the value may be left open.
        kind: the annotated type, such as `Positive`.

    Raises:
        UserError: the value lies outside its range, is not a number, or is another word.
    """
    type_and_range, words = declared(kind), words_of(kind)
    if (value is None and may_be_open(kind)) or (isinstance(value, str) and value in words):
        return
    if type_and_range is None:
        if words and only_words(kind):
            raise UserError(f"{name} is {value!r:.40}. Give {', '.join(words[:-1])} or {words[-1]}")
        return
    type_, range_ = type_and_range
    try:
        fits = not isinstance(value, bool) and value in range_ and (type_ is not int or value == int(value))
        finite = math.isfinite(value)
    except (TypeError, ValueError, OverflowError, RuntimeError):  # RuntimeError: torch, many elements
        fits = finite = False
    if not fits:
        word = "whole number" if type_ is int else "number"
        shown = repr(value) if isinstance(value, str) else str(value)  # in quotes, "10" is seen to be no number
        raise UserError(f"{name} is {shown:.40}. Give {range_.words(word if finite else f'finite {word}', value)}")


def check_shape(name: str, value: Any) -> tuple[int, ...]:
    """Refuse what is not the shape of a sample.

    Args:
        name: how the error names the shape, such as "input_shape".
        value: a tuple or a list.

    Returns:
        The shape as a tuple of Python's own whole numbers.

    Raises:
        UserError: the value is no tuple or list of whole numbers from 1.
    """
    try:
        sizes = tuple(index(size) for size in value) if isinstance(value, list | tuple) else ()
    except TypeError:
        sizes = ()
    if not sizes or bool in map(type, value) or not all(1 <= size <= LARGEST for size in sizes):
        raise UserError(
            f"{name} is {value!r:.40}. Give the shape of one sample at one step, a tuple of whole numbers of at least "
            f"1, such as (784,) or (1, 28, 28)"
        )
    return sizes


def check_ranges(owner: str, factory: Callable[..., Any], values: Mapping[str, Any]) -> None:
    """Refuse numbers outside the ranges that a factory declares, and words outside its lists.

    Args:
        owner: how errors name the part, such as "neuron 'lif'"; empty for settings of a run, which are named as
            options.
        factory: a dataclass or function that declares ranges.
        values: values by name; parameters without a value are not checked.

    Raises:
        UserError: a number lies outside its range, or a word is another one.
    """
    for name, kind in hints_of(factory).items():
        if name in values:
            check_range(f"{owner}: {name}" if owner else f"--{name.replace('_', '-')}", values[name], kind)


def ranged(owner: str) -> Callable[[F], F]:
    """A decorator that checks the arguments of a function or dataclass against the ranges that it declares.

    Args:
        owner: how errors name the part, such as "neuron 'lif'".

    Raises:
        UserError: when the function is called with a number outside its range.
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
