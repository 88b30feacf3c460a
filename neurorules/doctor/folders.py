"""The cache folder with what lies in it, and the folders in which data sets are looked for."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from neurorules.datasets import DATASETS
from neurorules.datasets._files import search_folders
from neurorules.disk.cache_folder import cache_folder

HOLDS = {
    "models": "compiled Brian2 programs",
    "frames": "binned events",
    "decoded": "decoded pictures",
    "data": "downloaded data sets",
}
"""The purposes of the folders in the cache; compiled kernels are beside them."""


def look_at_cache() -> dict[str, Any]:
    """The cache folder: `path`, whether files can be kept there, and the size of each of its parts."""
    folder = cache_folder()
    standing = _standing(folder)
    parts = [_part(child.name, HOLDS.get(child.name, ""), _files(child)) for child in _children(folder)]
    kernels = [child for child in _listed(folder) if child.is_file()]
    whole = [*([_part("", "compiled kernels", kernels)] if kernels else []), *parts]
    return {
        "path": str(folder),
        "exists": folder.is_dir(),
        "refusal": _refusal(standing),
        "free_bytes": shutil.disk_usage(standing).free,
        "bytes": sum(part["bytes"] for part in whole),
        "parts": whole,
    }


def look_at_data(data_dir: Path | None) -> dict[str, Any]:
    """The folders that hold data sets, and the data sets with files in a folder of their name.

    Args:
        data_dir: the user's `--data-dir`, or None.

    Returns:
        `data_dir` and `environment` (NEURORULES_DATA) as they were given, whether they `exist`, and `sets`.

    Raises:
        UserError: `data_dir` is no folder.
    """
    environment = os.environ.get("NEURORULES_DATA") or None
    roots = {Path(root).expanduser() for root in (data_dir, environment) if root}
    there = {}
    for name in DATASETS.names():
        named = [folder for folder in search_folders(name, data_dir) if folder not in roots and _listed(folder)]
        if named:
            there[name] = str(named[0])
    return {
        "data_dir": None if data_dir is None else str(data_dir),
        "environment": environment,
        "exist": all(root.is_dir() for root in roots),
        "sets": there,
    }


def _standing(folder: Path) -> Path:
    """The folder, or the nearest existing folder above it."""
    return next(place for place in (folder, *folder.absolute().parents) if place.is_dir())


def _refusal(folder: Path) -> str | None:
    """The reason why no file can be written into a folder; None if one can."""
    try:
        with tempfile.TemporaryFile(dir=folder):
            return None
    except OSError as error:
        return error.strerror or str(error)


def _part(name: str, holds: str, files: list[Path]) -> dict[str, Any]:
    sizes = list(_sizes(files))
    return {"name": name, "holds": holds, "files": len(sizes), "bytes": sum(sizes)}


def _sizes(files: list[Path]) -> Iterator[int]:
    for file in files:
        try:
            yield file.stat(follow_symlinks=False).st_size
        except OSError:  # another process has removed it
            continue


def _listed(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir())
    except OSError:
        return []


def _children(folder: Path) -> list[Path]:
    return [child for child in _listed(folder) if child.is_dir()]


def _files(folder: Path) -> list[Path]:
    return [Path(place, name) for place, _, names in os.walk(folder) for name in names]
