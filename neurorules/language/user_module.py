"""Functions of the user's that are given as `module:function`, in the current folder or an installed package."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from neurorules.language.errors import RAISED, UserError
from neurorules.language.options import convert_options, parse_named


def function_of(where: str, module: str, function: str, absent: str, returns: str) -> Callable[..., Any]:
    """Import a module and return a function of it.

    Args:
        where: how messages refer to the text, such as "data 'mine:make_data'".
        module: dotted path of the module.
        function: name of the function.
        absent: the message for a module that does not exist, including what to do.
        returns: what the function should return, as a phrase for messages.

    Returns:
        The function.

    Raises:
        UserError: the module has no such function, or cannot be imported.
    """
    try:
        imported = importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name != module.partition(".")[0]:
            raise UserError(
                f"{where}: {module} imports a package that is not installed ({error}). Install it"
            ) from error
        raise UserError(f"{where}: {absent}") from None
    except RAISED as error:
        raise UserError(f"{where}: {module} does not import ({in_one_line(error)}). Correct it") from error
    value = vars(imported).get(function)
    if not callable(value):
        raise UserError(
            f"{where}: {imported.__file__} has no function '{function}'. Write one that takes no argument and returns "
            f"{returns}"
        )
    return value


def call(where: str, name: str, function: Callable[..., Any], options: Mapping[str, str]) -> Any:
    """Call a function that the user wrote.

    Args:
        where: how messages refer to the text.
        name: the name of the function in messages.
        function: the function to call.
        options: its arguments as texts, by name.

    Returns:
        The result of the call.

    Raises:
        UserError: the function has no such argument, or raises an error.
    """
    try:
        return function(**convert_options(where, function, options))
    except UserError:
        raise
    except RAISED as error:
        raise UserError(f"{where}: {name}() failed ({in_one_line(error)}). Try it alone in Python") from error


def in_one_line(error: BaseException) -> str:
    """The type and the message of an error, in at most 200 characters."""
    reason = " ".join(f"{type(error).__name__}: {error}".split())
    return f"{reason:.200}"


def parsed(text: str) -> tuple[str, str, dict[str, str]] | None:
    """Parse a text of the form `module:function:key=value`.

    Args:
        text: as the user wrote it.

    Returns:
        The dotted path of the module, the name of the function, and its options as texts; None for any other text.
    """
    module, _, rest = text.strip().partition(":")
    if not rest.partition(":")[0].isidentifier() or not is_module_path(module):
        return None
    function, options = parse_named(rest)
    return module, function, options


def is_module_path(text: str) -> bool:
    """Whether a text may be the dotted path of a module."""
    return all(piece.isidentifier() for piece in text.split("."))


@contextmanager
def current_folder() -> Iterator[None]:
    """Allow imports from the current folder inside the block."""
    before = list(sys.path)
    sys.path.insert(0, str(Path.cwd()))
    importlib.invalidate_caches()
    try:
        yield
    finally:
        sys.path[:] = before
