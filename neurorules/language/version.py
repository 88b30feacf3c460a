"""The version of this package, which pyproject.toml alone gives; it is read from the installed metadata."""

from __future__ import annotations

from importlib import metadata

UNKNOWN = "of a copy that is not installed"


def own_version() -> str:
    """The version, such as 0.1.0; `UNKNOWN` for a copy that runs without being installed."""
    try:
        return metadata.version("neurorules")
    except metadata.PackageNotFoundError:
        return UNKNOWN
