"""The check for formats whose library is an optional extra."""

from __future__ import annotations

import importlib

from neurorules.language.errors import MissingExtra


def require(name: str, extra: str, *packages: str) -> None:
    """Import the packages that the format `name` needs.

    Raises:
        MissingExtra: one is not installed.
    """
    for package in packages:
        try:
            importlib.import_module(package)
        except ImportError:
            raise MissingExtra(f"the format '{name}'", package, extra) from None
