"""Paths that a program of the user's passes to a function."""

from __future__ import annotations

from pathlib import Path

from neurorules.language.errors import UserError


def path_from(name: str, value: str | Path) -> Path:
    """Read a path, which may be a text.

    Args:
        name: the name of the argument, for the message.
        value: the path.

    Returns:
        The path.

    Raises:
        UserError: the text is empty, which Python would take for the current folder.
    """
    if value == "":
        raise UserError(f"{name} is empty. Write a path, or '.' for the current folder")
    return Path(value)
