"""Samples fetched by a user's own code, whose errors become one line with their cause behind it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from neurorules.language.errors import RAISED, UserError


def read_one(part: Any, place: int, where: str) -> Any:
    """Fetch one sample of a map-style data set.

    Args:
        part: the data set.
        place: the place of the sample.
        where: how an error names the data set.

    Returns:
        What the data set gives.

    Raises:
        UserError: the data set raises an error.
    """
    try:
        return part[place]
    except UserError:
        raise
    except RAISED as error:
        raise _failed(f"{where}, sample {place}", error) from error


def guarded(things: Iterator[Any], where: str) -> Iterator[Any]:
    """Yield what an iterator of the user's gives.

    Args:
        things: the iterator.
        where: how an error names what it belongs to.

    Yields:
        The same things.

    Raises:
        UserError: the iterator raises an error.
    """
    number = 0
    while True:
        try:
            thing = next(things)
        except StopIteration:
            return
        except UserError:
            raise
        except RAISED as error:
            raise _failed(f"{where}, thing {number}", error) from error
        yield thing
        number += 1


def _failed(what: str, error: BaseException) -> UserError:
    reason = " ".join(f"{type(error).__name__}: {error}".split())
    return UserError(f"{what} cannot be read ({reason:.200}). The data set itself raises this: try it alone")
