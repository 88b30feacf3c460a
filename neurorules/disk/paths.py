"""Paths that a Python program hands over, checked in one place."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from neurorules.language.errors import UserError


def as_path(value: Any, name: str) -> Path:
    """The path that a program gives.

    Args:
        value: a text or a path.
        name: the name of the argument, for the message.

    Returns:
        The path.

    Raises:
        UserError: the value is neither.
    """
    path = os.fspath(value) if isinstance(value, str | os.PathLike) else value
    if not isinstance(path, str):
        raise UserError(f"{name} is {value!r:.60}. Give a path: a text, or a pathlib.Path")
    return Path(path)
