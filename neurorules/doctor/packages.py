"""The packages that neurorules requires according to its metadata, and which of them are installed."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import metadata
from typing import Any, NamedTuple

from packaging.requirements import Requirement

CORE = "core"
"""The name for packages that belong to no extra."""


class Package(NamedTuple):
    """One package that is required.

    name: in the index of packages. extra: the extra that requires it, or `CORE`. wanted: the versions that are
    accepted, such as ">=2.6"; empty for any. version: the installed one, or None. state: installed, missing, or "other
    version" if the installed one is not accepted.
    """

    name: str
    extra: str
    wanted: str
    version: str | None
    state: str


def look() -> list[dict[str, Any]]:
    """Every package of the core and of each extra; empty if this copy of neurorules is not installed itself."""
    try:
        own = metadata.distribution("neurorules")
    except metadata.PackageNotFoundError:
        return []
    extras = own.metadata.get_all("Provides-Extra") or []
    return [package._asdict() for package in asked_for(own.requires or [], extras)]


def asked_for(requires: list[str], extras: list[str]) -> list[Package]:
    """The packages of a distribution's metadata.

    Args:
        requires: its requirements, as texts with markers.
        extras: names of its extras.

    Returns:
        The core's packages, then those of each extra. An extra that only joins others has none.
    """
    needed = [Requirement(text) for text in requires]
    core = [r for r in needed if _holds(r, "")]
    requirements = [package for requirement in core for package in _packages(requirement, CORE)]
    for extra in extras:
        mine = [r for r in needed if _holds(r, extra) and r not in core and r.name != "neurorules"]
        requirements += [package for requirement in mine for package in _packages(requirement, extra)]
    return requirements


def _holds(requirement: Requirement, extra: str) -> bool:
    return requirement.marker is None or requirement.marker.evaluate({"extra": extra})


def _packages(requirement: Requirement, extra: str) -> Iterator[Package]:
    """A required package, then those that it must bring with it, as dask[distributed] brings distributed."""
    wanted = str(requirement.specifier)
    try:
        there = metadata.distribution(requirement.name)
    except metadata.PackageNotFoundError:
        yield Package(requirement.name, extra, wanted, None, "missing")
        return
    accepted = requirement.specifier.contains(there.version, prereleases=True)
    yield Package(requirement.name, extra, wanted, there.version, "installed" if accepted else "other version")
    brought = [Requirement(text) for text in there.requires or [] if requirement.extras]
    for other in brought:
        if any(_holds(other, chosen) for chosen in requirement.extras) and not _holds(other, ""):
            yield from _packages(other, extra)
