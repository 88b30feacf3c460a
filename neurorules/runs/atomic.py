"""Writing files so that either the whole old one or the whole new one is there, whenever a process or machine stops."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A temporary file for the block to write, which replaces the file at `path` when the block ends without an error.

    It lies beside `path` and has the same suffix. Its data reach the disk before its name changes, and the folder does
    after that. If the block raises, `path` stays as it was, and the temporary file is removed.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.stem}.", suffix=f".tmp{path.suffix}")
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        # mkstemp gives a file for its owner alone; the result is an ordinary file.
        temporary.chmod(0o666 & ~_umask())
        sync(temporary)
        os.replace(temporary, path)
        sync(path.parent)
    except BaseException as error:
        with suppress(FileNotFoundError):
            temporary.unlink()
        if isinstance(error, OSError) and error.filename in (None, name):
            error.filename = str(path)  # the name that the user gave
        raise


def write_bytes(path: Path, data: bytes) -> None:
    """Write a file, whole or not at all.

    Args:
        path: the path of the file; folders that are missing are created.
        data: its content.
    """
    with replacing(path) as temporary:
        temporary.write_bytes(data)


def write_text(path: Path, text: str) -> None:
    """Write a text file as UTF-8, whole or not at all.

    Args:
        path: the path of the file; folders that are missing are created.
        text: its content.
    """
    write_bytes(path, text.encode("utf-8"))


def remove_leftovers(folder: Path, names: tuple[str, ...]) -> None:
    """Remove temporary files that a killed process left behind.

    Args:
        folder: where they lie.
        names: names of the files that they were to replace.
    """
    for name in names:
        path = Path(name)
        for leftover in folder.glob(f".{path.stem}.*.tmp{path.suffix}"):
            with suppress(FileNotFoundError):
                leftover.unlink()


def remove_places(places: Iterable[Path]) -> None:
    """Remove files and folders where they exist."""
    for place in places:
        if place.is_dir() and not place.is_symlink():
            shutil.rmtree(place, ignore_errors=True)
        else:
            place.unlink(missing_ok=True)


def sync(path: Path) -> None:
    """Bring a file, or the names of a folder, to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _umask() -> int:
    """The permissions that new files of this process lack. They can only be read by setting them."""
    mask = os.umask(0o022)
    os.umask(mask)
    return mask
