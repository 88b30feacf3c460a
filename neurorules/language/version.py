"""The version of this package, read from the installed metadata. It is defined only in pyproject.toml."""

from __future__ import annotations

from importlib import metadata

UNKNOWN = "of a copy that is not installed"


def own_version() -> str:
    """The version, such as 0.1.0; `UNKNOWN` for a copy that is not installed."""
    try:
        return metadata.version("neurorules")
    except metadata.PackageNotFoundError:
        return UNKNOWN
