"""The check that `--out` does not overwrite a file of another kind."""

from __future__ import annotations

import json
import os
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from neurorules.disk.lock import owned_file
from neurorules.language.errors import UserError
from neurorules.runs.atomic import replacing
from neurorules.runs.folder import CONFIG, RESULT, RUN_FILES, WEIGHTS

TRACES = "traces.h5"
"""Name of the trace that a run writes into its folder while it learns."""
TRACE_MARK, A_TRACE = b"neurorules-trace", "a recorded trace"
"""The mark at the beginning of a trace (in format 2, near it), by which even an unclosed trace is recognised."""
MAGIC = {
    TRACE_MARK: A_TRACE,
    b"\x89PNG": "a PNG picture",
    b"%PDF": "a PDF document",
    b"\x89HDF": "an HDF5 file",
    b"PK\x03\x04": "an archive",
    b"PAR1": "a Parquet file",
    b"\x93NUMPY": "a NumPy array",
    b"\x1f\x8b": "a gzip file",
    b"\0\0\x08": "an idx file of data",
}
"""The kind of a file, by its first bytes."""
UNKNOWN = "a file of another kind"
ENOUGH = 1 << 16
"""Number of bytes at the beginning of a file that are inspected."""


@contextmanager
def output(path: Path) -> Iterator[Path]:
    """Yield a temporary file for the block to write, which replaces the user's file if the block raises no error.

    Raises:
        UserError: the existing file is of another kind or is being written, or as in `check_output`.
    """
    check_output(path)
    with owned_file(path), replacing(path) as temporary:
        yield temporary
        check_kind(path, kind_of(temporary))


def check_output(path: Path) -> None:
    """Refuse a path that must not be written to, before any work is done.

    Raises:
        UserError: the path is a folder, a device, a broken link, or a file of a run.
    """
    if path.is_symlink() and not path.exists():
        raise UserError(f"--out {path} is a link that leads nowhere. Name another file")
    if path.is_dir():
        raise UserError(f"--out {path} is a folder. Name a file")
    if path.exists() and not path.is_file():
        raise UserError(f"--out {path} is not an ordinary file. Name another one")
    real = Path(os.path.realpath(path))
    own = (*RUN_FILES, TRACES) if real.exists() else RUN_FILES
    if real.name in own and any((real.parent / name).exists() for name in (CONFIG, RESULT, WEIGHTS)):
        raise UserError(f"--out {path} is a file of the run in {real.parent}. Name another file")


def check_kind(path: Path, kind: str) -> None:
    """Refuse to overwrite a file by one of another kind.

    Args:
        path: the path of the file; it may be missing or empty.
        kind: the kind of the new file (see `kind_of`).

    Raises:
        UserError: the file is of another kind.
    """
    if not path.exists() or not path.stat().st_size:
        return
    old = kind_of(path)
    if old == UNKNOWN or old != kind:
        raise UserError(f"{path} is {old}, and {kind} would replace it. Name another file, or remove that one")


def kind_of(path: Path) -> str:
    """Describe the kind of a file by its content. Files that may replace each other have the same description."""
    with path.open("rb") as file:
        head = file.read(ENOUGH)
    kind = next((name for magic, name in MAGIC.items() if head.startswith(magic)), None)
    if kind == "an archive":
        return _of_archive(path)
    if kind == "an HDF5 file":
        return A_TRACE if TRACE_MARK in head else _of_hdf5(path)
    if kind == "a Parquet file":
        return _of_parquet(path)
    if kind is not None:
        return kind
    if head[8:10] in (b'{"', b"{}"):
        return "a file of tensors"
    try:
        text = head.decode("utf-8")
    except UnicodeDecodeError as error:
        if error.start < len(head) - 4:
            return UNKNOWN
        text = head[: error.start].decode("utf-8")
    return _of_text(path, text.lstrip())


def _of_text(path: Path, text: str) -> str:
    """The kind of a text file: an SVG picture, JSON by its keys, or a table by its columns."""
    if text.startswith(("<?xml", "<svg")) and "<svg" in text:
        return "an SVG picture"
    if text.startswith("{"):
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
        except (ValueError, RecursionError):
            return UNKNOWN
        return f"JSON of {', '.join(sorted(content))}" if isinstance(content, dict) else UNKNOWN
    first = text.split("\n", 1)[0].strip()
    columns = first.split(",")
    named = len(columns) > 1 and all(column.replace("_", "").isidentifier() for column in columns)
    return f"a table of {first}" if named else UNKNOWN


def _of_archive(path: Path) -> str:
    """The kind of an `.npz` archive, by the names of its arrays."""
    try:
        with zipfile.ZipFile(path) as archive:
            names = set(archive.namelist())
    except (zipfile.BadZipFile, OSError, NotImplementedError):
        return UNKNOWN
    if {"header.npy", "steps.npy"} <= names:
        return "an exported trace"
    if {"epoch.npy", "samples.npy"} <= names:
        return "exported snapshots"
    return "an archive of other content"


def _of_hdf5(path: Path) -> str:
    """The kind of an HDF5 file, by the attributes of its root group."""
    import h5py

    from neurorules.disk.hdf5 import UNREADABLE

    try:
        with h5py.File(path, "r", locking=False) as file:
            marks = [str(file.attrs[name]) for name in ("format", "__type__", "neurodata_type") if name in file.attrs]
            if not marks and "version" in file and "type" in file.get("node", ()):
                return "a graph of NIR"
            return f"an HDF5 file of {', '.join(marks) or 'other content'}"
    except UNREADABLE:
        return UNKNOWN


def _of_parquet(path: Path) -> str:
    """The kind of a Parquet file, by the name of its writer in the footer."""
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - ENOUGH))
        ours = b"neurorules" in file.read()
    return "an exported Parquet table" if ours else "a Parquet file of other content"
