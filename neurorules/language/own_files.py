"""Rules, signals and neurons in files of the user's, which are given by path or lie in a folder of the user's.

Each file must work alone, so that the hash of its text identifies it. Like a file in a registry's folder it defines
`ENTRY`; the file of a rule may also define the rule's signal as `SIGNAL`. Both are listed under the file's name.

A file is run only if the user has named it, by its path or through `NEURORULES_RULES`. Run folders and comparisons
store names and never paths, so that reading them runs no code (SECURITY.md).
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from neurorules.language.errors import UserError
from neurorules.language.own_file import offer_of

VARIABLE = "NEURORULES_RULES"
"""The environment variable that lists the user's folders and files."""
_named: dict[str, Path] = {}


def is_path(name: str) -> bool:
    """Whether a word is the path of a file rather than the name of a part."""
    return name.endswith(".py") or any(sign in name for sign in ("/", "\\"))


def take(files: Mapping[str, Path | str]) -> None:
    """Register files for the rest of this process, as if the user had given their paths.

    Args:
        files: absolute paths by name.

    Raises:
        UserError: another file of that name is registered already, and still exists.
    """
    for name, path in files.items():
        before, path = _named.get(name), Path(path)
        if before is not None and before != path and before.exists():
            raise UserError(f"'{name}' stands for {before} already, and {path} has the same name. Rename one of them")
        _named[name] = path


def take_all(files: Mapping[str, Path | str]) -> None:
    """Register the files of another process of the same command, and no others.

    Args:
        files: paths by name, as `listed` returned them in that process.
    """
    _named.clear()
    _named.update({name: Path(path) for name, path in files.items()})


@contextmanager
def standing_for(files: Mapping[str, Path]) -> Iterator[None]:
    """Let names refer to other files inside the block.

    Args:
        files: paths by name.

    Returns:
        A context manager, which restores the previous meaning of the names at its end.
    """
    before = {name: _named.get(name) for name in files}
    _named.update(files)
    try:
        yield
    finally:
        for name, path in before.items():
            if path is None:
                _named.pop(name, None)
            else:
                _named[name] = path


def listed() -> dict[str, Path]:
    """The user's files by name: those given by path, and those in the folders of `NEURORULES_RULES`.

    Raises:
        UserError: a folder is missing, or two files have the same name.
    """
    files: dict[str, Path] = {}
    for place in os.environ.get(VARIABLE, "").split(os.pathsep):
        for path in _files_of(Path(place).expanduser()) if place.strip() else ():
            if path.stem in files and files[path.stem] != path:
                raise UserError(f"{VARIABLE}: {files[path.stem]} and {path} have one name. Rename one of them")
            files[path.stem] = path
    return files | _named


def _files_of(place: Path) -> list[Path]:
    """The files of one item of the environment variable, which is a folder or a file."""
    if place.suffix == ".py":
        return [checked_path(str(place), f"{VARIABLE}: ")]
    if not place.is_dir():
        raise UserError(
            f"{VARIABLE} names the folder {place}, which does not exist. Create it, or correct the variable"
        )
    files = sorted(place.resolve().glob("*.py"))
    return [path for path in files if not path.stem.startswith("_") and offer_of(path).kinds]


def listed_as(kind: str) -> dict[str, str]:
    """Paths of the user's files that define a part of some kind, by name.

    Raises:
        UserError: as in `listed`.
    """
    return {name: str(path) for name, path in listed().items() if kind in offer_of(path).kinds}


def checked_path(word: str, where: str = "") -> Path:
    """The absolute path of a file that the user gives.

    Args:
        word: the path.
        where: the beginning of the error message.

    Returns:
        The absolute path.

    Raises:
        UserError: there is no such file, or its name cannot be the name of a part.
    """
    path = Path(word).expanduser()
    if path.is_dir():
        raise UserError(f"{where}{word} is a folder. Name a Python file in it, or let {VARIABLE} name the folder")
    if path.suffix != ".py" or not path.is_file():
        raise UserError(
            f"{where}there is no Python file {word}. Check the path, or write one: neurorules new rule NAME"
        )
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", path.stem):
        raise UserError(f"{where}{word}: an entry has the name of its file. Rename it to letters, digits, underscores")
    return path.resolve()
