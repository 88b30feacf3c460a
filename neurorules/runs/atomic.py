"""Atomic writing of files: after a crash there is either the complete old file or the complete new one."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a temporary file for the block to write, which replaces the file at `path` if the block raises no error.

    The temporary file is in the same folder and has the same suffix. Its data are flushed to the disk before it is
    renamed, and the folder is flushed afterwards. If the block raises, `path` is unchanged and the temporary file is
    removed.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.stem}.", suffix=f".tmp{path.suffix}")
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        # mkstemp creates a file that only its owner can read; give it the usual permissions.
        temporary.chmod(0o666 & ~_umask())
        sync(temporary)
        os.replace(temporary, path)
        sync(path.parent)
    except BaseException as error:
        with suppress(FileNotFoundError):
            temporary.unlink()
        if isinstance(error, OSError) and error.filename in (None, name):
            error.filename = str(path)  # the user's name for the file
        raise


def write_bytes(path: Path, data: bytes) -> None:
    """Write a file completely or not at all.

    Args:
        path: the path of the file; folders that are missing are created.
        data: its content.
    """
    with replacing(path) as temporary:
        temporary.write_bytes(data)


def write_text(path: Path, text: str) -> None:
    """Write a text file in UTF-8 completely or not at all.

    Args:
        path: the path of the file; folders that are missing are created.
        text: its content.
    """
    write_bytes(path, text.encode("utf-8"))


def remove_leftovers(folder: Path, names: tuple[str, ...]) -> None:
    """Remove temporary files that a killed process left behind.

    Args:
        folder: the folder that contains them.
        names: names of the files that they should have replaced.
    """
    for name in names:
        path = Path(name)
        for leftover in folder.glob(f".{path.stem}.*.tmp{path.suffix}"):
            with suppress(FileNotFoundError):
                leftover.unlink()


def remove_places(places: Iterable[Path]) -> None:
    """Remove files and folders that exist."""
    for place in places:
        if place.is_dir() and not place.is_symlink():
            shutil.rmtree(place, ignore_errors=True)
        else:
            place.unlink(missing_ok=True)


def sync(path: Path) -> None:
    """Flush a file, or the names in a folder, to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _umask() -> int:
    """The umask of this process, which can be read only by setting it."""
    mask = os.umask(0o022)
    os.umask(mask)
    return mask
