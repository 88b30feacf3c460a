"""Paths that a program of the user's passes to a function."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from neurorules.language.errors import UserError


def path_from(name: str, value: Any) -> Path:
    """Read a path, which may be a text.

    Args:
        name: the name of the argument, for the message.
        value: the path.

    Returns:
        The path.

    Raises:
        UserError: the value is neither a text nor a path, or an empty text, which Python would take for the current
            folder.
    """
    path = os.fspath(value) if isinstance(value, str | os.PathLike) else value
    if not isinstance(path, str):
        raise UserError(f"{name} is {value!r:.60}. Give a path: a text, or a pathlib.Path")
    if path == "":
        raise UserError(f"{name} is empty. Write a path, or '.' for the current folder")
    return Path(path)
