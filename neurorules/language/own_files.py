"""Rules, signals and neurons in files of a user's own, which are named by a path or lie in a folder of theirs.

A file stands alone, so that the hash of its text is the hash of all of it. It offers what a file of a registry's folder
offers, `ENTRY`; a rule's file may bring the rule's signal as `SIGNAL`. Both are listed under the file's name.

A file is run only where the user has named it: by its path, or by `NEURORULES_RULES`. What a run folder or a
comparison says is a name and never a path, so that reading one runs nothing (SECURITY.md).
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
"""The variable of the environment that names folders, or single files, of a user's own."""
_named: dict[str, Path] = {}


def is_path(name: str) -> bool:
    """Whether a word for a part is the path of a file rather than a name: a registry lists no such name."""
    return name.endswith(".py") or any(sign in name for sign in ("/", "\\"))


def take(files: Mapping[str, Path | str]) -> None:
    """List files for the rest of this process, as if the user had named them here.

    Args:
        files: whole paths by name.

    Raises:
        UserError: another file of that name was named before, and is still there.
    """
    for name, path in files.items():
        before, path = _named.get(name), Path(path)
        if before is not None and before != path and before.exists():
            raise UserError(f"'{name}' stands for {before} already, and {path} has the same name. Rename one of them")
        _named[name] = path


def take_all(files: Mapping[str, Path | str]) -> None:
    """List the files of another process of the same command, and those alone.

    Args:
        files: paths by name, what `listed` gave there.
    """
    _named.clear()
    _named.update({name: Path(path) for name, path in files.items()})


@contextmanager
def standing_for(files: Mapping[str, Path]) -> Iterator[None]:
    """Let names stand for other files inside the block.

    Args:
        files: paths by name.

    Returns:
        A context manager; after it the names stand for what they stood for before.
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
    """The user's files by name: those that were named by path, and those of the folders of `NEURORULES_RULES`.

    Raises:
        UserError: a folder is missing, or two files have one name.
    """
    files: dict[str, Path] = {}
    for place in os.environ.get(VARIABLE, "").split(os.pathsep):
        for path in _files_of(Path(place).expanduser()) if place.strip() else ():
            if path.stem in files and files[path.stem] != path:
                raise UserError(f"{VARIABLE}: {files[path.stem]} and {path} have one name. Rename one of them")
            files[path.stem] = path
    return files | _named


def _files_of(place: Path) -> list[Path]:
    """The files of one place that the environment names: a folder, or a file."""
    if place.suffix == ".py":
        return [checked_path(str(place), f"{VARIABLE}: ")]
    if not place.is_dir():
        raise UserError(f"{VARIABLE} names the folder {place}, which is not there. Make it, or correct the variable")
    files = sorted(place.resolve().glob("*.py"))
    return [path for path in files if not path.stem.startswith("_") and offer_of(path).kinds]


def listed_as(kind: str) -> dict[str, str]:
    """Paths of the user's files that offer a kind, by name.

    Raises:
        UserError: as in `listed`.
    """
    return {name: str(path) for name, path in listed().items() if kind in offer_of(path).kinds}


def checked_path(word: str, where: str = "") -> Path:
    """The whole path of a file that a user names.

    Args:
        word: the path.
        where: begins the message.

    Returns:
        The path from the root of the file system.

    Raises:
        UserError: there is no such file, or its name cannot be that of an entry.
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
