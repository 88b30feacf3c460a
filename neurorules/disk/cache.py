"""Files and folders of the cache, which are used if they are intact and built again if they are damaged.

The name of each contains the hash of its content, `STEM-HASH.suffix`, so that damage can be detected. A name appears in
the folder only when the content is complete.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from neurorules.disk.lock import waiting_for

DIGITS = 20
"""Number of hex digits of the hash in a name."""


def cache_path(folder: Path, stem: str, suffix: str, make: Callable[[Path], None]) -> Path:
    """Return the path of a file or folder of the cache, and build it if it is missing or damaged.

    If several processes ask for it at the same time, it is built only once.

    Args:
        folder: the folder of the cache.
        stem: the beginning of the name, which must depend on everything that the content depends on.
        suffix: the end of a file's name, with its dot; "" for a folder.
        make: a function that builds the file or folder at the given path; other files next to it are removed
            afterwards.

    Returns:
        The path of the intact file or folder.

    Raises:
        OSError: the cache cannot be written. Errors of `make` pass through.
    """
    whole = find(folder, stem, suffix)
    if whole is not None:
        return whole
    folder.mkdir(parents=True, exist_ok=True)
    with waiting_for(folder / f".{stem}.lock"):
        whole = find(folder, stem, suffix)
        if whole is not None:
            return whole
        with tempfile.TemporaryDirectory(dir=folder, prefix=f".{stem}.", ignore_cleanup_errors=True) as place:
            new = Path(place, f"new{suffix}")
            make(new)
            for file in _files(new):
                with file.open("rb") as content:
                    os.fsync(content.fileno())
            target = folder / f"{stem}-{hash_of(new)}{suffix}"
            _remove(target)
            os.replace(new, target)
        return target


def find(folder: Path, stem: str, suffix: str) -> Path | None:
    """Look for a file or folder of the cache; a damaged one is removed.

    Args:
        folder: the folder of the cache.
        stem: the beginning of the name.
        suffix: the end of the name.

    Returns:
        The path of the intact file or folder, or None.
    """
    for path in sorted(folder.glob(f"{stem}-*{suffix}")):
        digits = path.name.removeprefix(f"{stem}-").removesuffix(suffix)
        if len(digits) != DIGITS:
            continue
        with suppress(OSError):
            if hash_of(path) == digits:
                return path
        _remove(path)
    return None


def hash_of(path: Path) -> str:
    """The hash of the content of a file, or of the names and contents of all files in a folder; `DIGITS` hex digits."""
    digest = hashlib.sha256()
    for file in _files(path):
        digest.update(f"{file.relative_to(path).as_posix()}\0".encode())
        with file.open("rb") as content:
            digest.update(hashlib.file_digest(content, "sha256").digest())
    return digest.hexdigest()[:DIGITS]


def _files(path: Path) -> list[Path]:
    """All files of a folder, sorted by path; or the file itself."""
    return sorted(file for file in path.rglob("*") if file.is_file()) if path.is_dir() else [path]


def _remove(path: Path) -> None:
    """Remove a file or a folder if it exists."""
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with suppress(OSError):
            path.unlink()
