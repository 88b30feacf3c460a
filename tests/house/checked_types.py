"""How the types and shapes of calls are checked while tests run.

`jaxtyping.jaxtyped` prepares a function when it is defined, which takes about a millisecond, and then checks every
call. Here a function is prepared when a test first calls it, and its first calls in each test are checked: a training
repeats those of its first steps. Functions inside functions, which are defined anew at every call, are not checked.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from functools import partial, wraps
from types import FunctionType
from typing import Any

import jaxtyping
from beartype import BeartypeConf, beartype

CALLS = 3
"""Calls of a function that are checked in each test."""

checked = beartype(conf=BeartypeConf(is_pep484_tower=True))
"""A whole number serves where a `float` is declared, as it does for every static type checker and for every user."""

_prepare = jaxtyping.jaxtyped


@dataclasses.dataclass
class Running:
    """The test that runs now: its number, and how many calls of a function it checks."""

    test: int = 0
    calls: int = CALLS


_now = Running()


def start_test(unchecked: bool) -> None:
    """Let the first calls of a test be checked from now on, or none of them.

    Args:
        unchecked: whether no call is checked.
    """
    _now.test += 1
    _now.calls = 0 if unchecked else CALLS


def when_called(function: Any = None, *, typechecker: Any) -> Any:
    """Take the place of `jaxtyping.jaxtyped`: prepare a function for its checks when it is first called.

    Args:
        function: a function, a class or a property; without one, a decorator is returned.
        typechecker: what checks types; the import hook names it.
    """
    if function is None:
        return partial(when_called, typechecker=typechecker)
    if isinstance(function, type):
        if dataclasses.is_dataclass(function) and isinstance(function.__init__, FunctionType):
            function.__init__ = when_called(function.__init__, typechecker=typechecker)  # type: ignore[misc]
        return function
    if not isinstance(function, FunctionType):
        return _prepare(function, typechecker=typechecker)
    return function if "<locals>" in function.__qualname__ else _checked_at_first(function, typechecker)


def _checked_at_first(function: Callable[..., Any], typechecker: Any) -> Callable[..., Any]:
    prepared: Callable[..., Any] | None = None
    test = calls = -1

    @wraps(function)
    def counted(*args: Any, **kwargs: Any) -> Any:
        nonlocal prepared, test, calls
        if test != _now.test:
            test, calls = _now.test, 0
        if calls >= _now.calls:
            return function(*args, **kwargs)
        calls += 1
        if prepared is None:
            prepared = _prepare(function, typechecker=typechecker)
        return prepared(*args, **kwargs)

    return counted
