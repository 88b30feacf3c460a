"""Files and folders of a cache that are used where they are whole, and made again where they are not.

Each carries the hash of its content in its name, `STEM-HASH.suffix`: one name says what it is and what must stand in
it, and comes into being at once.
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
"""Of a hash in a name."""


def kept(folder: Path, stem: str, suffix: str, make: Callable[[Path], None]) -> Path:
    """The path of something kept; it is made where it is missing or damaged, once, however many ask for it at once.

    Args:
        folder: of the cache.
        stem: what it is: it stands for everything that its content depends on.
        suffix: of a file, with its dot; "" for a folder.
        make: makes it at a path of this suffix, in a folder where other files may lie about.

    Raises:
        OSError: the cache cannot be written; what `make` raises.
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
    """What is kept and whole; what is damaged is removed."""
    for path in sorted(folder.glob(f"{stem}-*{suffix}")):
        said = path.name.removeprefix(f"{stem}-").removesuffix(suffix)
        if len(said) != DIGITS:
            continue
        with suppress(OSError):
            if hash_of(path) == said:
                return path
        _remove(path)
    return None


def hash_of(path: Path) -> str:
    """Of the content of a file, or of the names and contents of all files in a folder."""
    digest = hashlib.sha256()
    for file in _files(path):
        digest.update(f"{file.relative_to(path).as_posix()}\0".encode())
        with file.open("rb") as content:
            digest.update(hashlib.file_digest(content, "sha256").digest())
    return digest.hexdigest()[:DIGITS]


def _files(path: Path) -> list[Path]:
    return sorted(file for file in path.rglob("*") if file.is_file()) if path.is_dir() else [path]


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with suppress(OSError):
            path.unlink()
