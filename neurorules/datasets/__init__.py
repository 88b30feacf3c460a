"""Data sets, one file each. The `ENTRY` of a file holds the options of a user, and its `load` reads the data."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from neurorules.contracts.data_set import BringsSteps, DataPlace, DataSet
from neurorules.datasets._damage import is_hidden, reading
from neurorules.datasets._files import expanded
from neurorules.language.errors import UserError, unknown
from neurorules.language.ranges import hints_of
from neurorules.language.registry import Registry

DATASETS = Registry("dataset", "neurorules.datasets")
IN_MEMORY = "memory"
"""Begins the name of data that a Python program handed over, `memory:HASH`; the hash is of their content."""


def open_dataset(text: str, data_dir: DataPlace = None) -> DataSet:
    """Read the data set that a user's word or path names.

    Args:
        text: a registered name with options (`mnist`, `npz:path=own.npz`, or shorter `npz:own.npz`); a path: an `.npz`
            file, a folder of idx files, or a folder of N-MNIST recordings; or `module:function`, a function of the
            user's that returns data. A registered name wins over a folder or a module of the same name.
        data_dir: where the files of a registered name are looked for first (`--data-dir`), or the data set itself.

    Returns:
        The data set.

    Raises:
        UserError: an unknown name (the nearest one is offered), missing or broken files, or other data than those that
            are handed over.
    """
    if isinstance(data_dir, DataSet):
        if data_dir.name != text:
            raise UserError(
                f"the data asked for are '{text}', and those given are '{data_dir.name}'. Give the same data"
            )
        return data_dir
    source = source_of(text)
    try:
        data: DataSet = source.load(data_dir)
    except OSError as error:
        raise UserError(f"data '{text}' cannot be read ({error}). Check the path and its permissions") from None
    return data


def data_place(text: str, data_dir: DataPlace = None) -> DataPlace:
    """A place to read data from, several times: what a function of the user's makes is made here, and once.

    Args:
        text, data_dir: as in `open_dataset`.

    Returns:
        The data set that the function made; for all other data, `data_dir`.

    Raises:
        UserError: as in `open_dataset`.
    """
    name, _, rest = text.strip().partition(":")
    registered = not rest or name == IN_MEMORY or name.replace("-", "_") in DATASETS.modules
    if registered or isinstance(data_dir, DataSet) or expanded(text.strip()).exists() or _looks_like_path(text):
        return data_dir
    return open_dataset(text, data_dir)


def steps_of(text: str, data_dir: DataPlace = None) -> int | None:
    """The number of time steps that a data set decides, told before it is read.

    Args:
        text, data_dir: as in `open_dataset`.

    Returns:
        The number; None where the data leave it open.

    Raises:
        UserError: as in `open_dataset`.
    """
    if isinstance(data_dir, DataSet):
        return open_dataset(text, data_dir).steps
    source = source_of(text)
    return source.own_steps(data_dir) if isinstance(source, BringsSteps) else None


def source_of(text: str) -> Any:
    """The source of data that a word or path names; nothing is read.

    Args:
        text: as in `open_dataset`.

    Raises:
        UserError: there is none.
    """
    name, _, rest = text.strip().partition(":")
    if not name:
        raise unknown("dataset", text, DATASETS.names())
    if name.replace("-", "_") in DATASETS.modules:
        return DATASETS.make(_with_first_option(name, rest))
    if ".npz:" in text.lower():  # options stand behind the file, whose kind its name says
        return DATASETS.make(_with_first_option("npz", text.strip()))
    if name == IN_MEMORY:
        raise UserError(
            f"data '{text}' lay in the memory of a Python program, and are kept nowhere. Hand the same over again: "
            "data=(train, test) in neurorules.train or neurorules.load"
        )
    path = expanded(text.strip())
    if not path.exists() and not _looks_like_path(text):
        if rest:
            from neurorules.datasets._own.module import ModuleData

            return ModuleData.of_text(text)
        raise unknown("dataset", name or text, DATASETS.names())
    return DATASETS.factory(_format_of(path))(path=str(path))


def _with_first_option(name: str, rest: str) -> str:
    """The text with the first option named, where a user has left its name out: `npz:own.npz` is `npz:path=own.npz`."""
    first, colon, others = rest.partition(":")
    if not first or "=" in first:
        return f"{name}:{rest}" if rest else name
    return f"{name}:{next(iter(hints_of(DATASETS.factory(name))))}={first}{colon}{others}"


def _looks_like_path(text: str) -> bool:
    """Whether a user means a path, though nothing lies there."""
    return any(sign in text for sign in ("/", "\\", "~")) or ".npz:" in f"{text.strip().lower()}:"


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
        "Name the folder that does, or an .npz file; a folder of pictures is folder:PATH"
    )
