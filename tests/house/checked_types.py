"""How the types of calls are checked while tests run, named in tests/conftest.py."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from beartype import BeartypeConf, beartype
from jaxtyping import config

CHECKS = 5000
"""Checks of a test, about two for each call, after which its other calls are left unchecked.

A training repeats the calls of its first steps, and checks make each of them several times as long.
"""
left = {"checks": CHECKS}
"""Checks that the test which runs now still makes."""

_by_beartype = beartype(conf=BeartypeConf(is_pep484_tower=True))
"""A whole number serves where a `float` is declared, as it does for every static type checker and for every user."""


def start_test(unchecked: bool) -> None:
    """Let a test's calls be checked from now on, or none of them.

    Args:
        unchecked: whether no call is checked.
    """
    left["checks"] = CHECKS
    config.update("jaxtyping_disable", unchecked)


def checked(function: Callable[..., Any]) -> Callable[..., Any]:
    """Check the arguments of each call, and stop checking where the test has used up its checks."""
    check = _by_beartype(function)

    @wraps(function)
    def counted(*args: Any, **kwargs: Any) -> Any:
        left["checks"] -= 1
        if left["checks"] <= 0:
            config.update("jaxtyping_disable", True)
        return check(*args, **kwargs)

    return counted
