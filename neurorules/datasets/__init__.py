"""Data sets, one file each. The `ENTRY` of a file holds the options of a user, and its `load` reads the data."""

from __future__ import annotations

from pathlib import Path

from neurorules.contracts.data_set import DataSet
from neurorules.datasets._damage import is_hidden, reading
from neurorules.datasets._files import expanded
from neurorules.language.errors import UserError, unknown
from neurorules.language.registry import Registry

DATASETS = Registry("dataset", "neurorules.datasets")


def open_dataset(text: str, data_dir: Path | None = None) -> DataSet:
    """Read the data set that a user's word or path names.

    Args:
        text: a registered name with options (`mnist`, `npz:path=own.npz`), or a path: an `.npz` file, a folder of
            idx files, or a folder of N-MNIST recordings. A registered name wins over a folder of the same name.
        data_dir: where the files of a registered name are looked for first (`--data-dir`).

    Returns:
        The data set, in memory.

    Raises:
        UserError: an unknown name (the nearest one is offered), or missing or broken files.
    """
    name = text.strip().split(":", 1)[0]
    if not name:
        raise unknown("dataset", text, DATASETS.names())
    if name.replace("-", "_") in DATASETS.modules:
        source = DATASETS.make(text)
    else:
        path = expanded(text.strip())
        if not path.exists() and not _looks_like_path(text):
            raise unknown("dataset", name or text, DATASETS.names())
        source = DATASETS.factory(_format_of(path))(path=str(path))
    try:
        data: DataSet = source.load(data_dir)
    except OSError as error:
        raise UserError(f"data '{text}' cannot be read ({error}). Check the path and its permissions") from None
    return data


def _looks_like_path(text: str) -> bool:
    """Whether a user means a path, though nothing lies there."""
    return any(sign in text for sign in ("/", "\\", "~")) or text.strip().lower().endswith(".npz")


def _format_of(path: Path) -> str:
    """Name the data set that reads what lies at a path.

    Raises:
        UserError: nothing lies there, or nothing that a data set reads.
    """
    if not path.exists():
        raise UserError(f"data '{path}': there is no such file or folder. Check the path")
    if path.is_file():
        if path.suffix.lower() == ".npz":
            return "npz"
        raise UserError(f"data '{path}': the file is no .npz. Give one, or a folder of idx files or recordings")
    with reading(f"data '{path}'", "Check the path and its permissions"):
        names = [child.name.lower() for child in path.iterdir() if not is_hidden(child.name)]
    if {"train", "test", "train.zip", "test.zip"} & set(names):
        return "nmnist"
    if any("images" in name or "labels" in name for name in names):
        return "idx"
    raise UserError(
        f"data '{path}': the folder holds neither idx files (train-images..., train-labels..., t10k-images..., "
        "t10k-labels...) nor N-MNIST recordings (Train/ and Test/, or Train.zip and Test.zip). "
        "Name the folder that does, or an .npz file"
    )
