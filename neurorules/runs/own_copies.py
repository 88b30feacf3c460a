"""Copies, in the run folder, of the user's own files that a run used, and the rules for using them later.

A run folder may come from anybody, so neither the Python files in it nor the paths that it contains are run without
further checks. A name in the run refers to a file that the user names today, if its text is the same. Otherwise the
copy is used, but only if this user has run exactly this text before, which a mark in the cache folder records.
"""

from __future__ import annotations

import logging
import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from neurorules.disk.cache_folder import cache_folder
from neurorules.language.errors import UserError
from neurorules.language.own_file import digest_of, text_of
from neurorules.language.own_files import VARIABLE, listed
from neurorules.runs.atomic import write_bytes, write_text
from neurorules.runs.folder import OWN_FILES
from neurorules.runs.plain_json import read_json, to_json

INDEX = "files.json"
"""Name of the file with the original path and the SHA-256 of each copy."""
MARKS = "own_files"
"""Folder of the cache with an empty file for each text that was run here, named by its SHA-256."""

_log = logging.getLogger(__name__)


def keep(run: Path, files: Mapping[str, Path]) -> None:
    """Copy files into a run folder, and record that this user has run them.

    Args:
        run: the run folder.
        files: paths of the files that the run uses, by name."""
    home = run / OWN_FILES
    if not files:
        shutil.rmtree(home, ignore_errors=True)
        return
    home.mkdir(exist_ok=True)
    index = {name: {"path": str(path), "sha256": digest_of(path)} for name, path in files.items()}
    for name, path in files.items():
        write_bytes(home / f"{name}.py", text_of(path))
    write_text(home / INDEX, to_json(index, indent=2) + "\n")
    for entry in index.values():
        _mark(entry["sha256"])


def check_unchanged(run: Path, files: Mapping[str, Path]) -> None:
    """Refuse to continue a run with other files than those it began with.

    Args:
        run: the run folder.
        files: paths of the files that it would use from now on, by name.

    Raises:
        UserError: a file has changed since, or is another file.
    """
    index = _index(run)
    for name in sorted({*index, *files}):
        if name not in index:
            raise UserError(f"the run in {run} did not begin with the file {files[name]}. Begin anew with --force")
        if name not in files or digest_of(files[name]) != index[name]["sha256"]:
            path = files.get(name, index[name]["path"])
            raise UserError(
                f"{path} is not what the run in {run} began with: it has changed since. Put the older text back, which "
                f"is {run / OWN_FILES / name}.py, or begin anew with --force"
            )


def files_of(run: Path) -> dict[str, Path]:
    """The copies to use for names in a run that the user's current files no longer provide.

    Args:
        run: the run folder.

    Returns:
        Paths by name, for `language.own_files.standing_for`; empty if the user's current files are those of the run, or
        the run needs none.

    Raises:
        UserError: none of the user's files has the text of the run, and a file with that text was never run here.
    """
    standing: dict[str, Path] = {}
    index = _index(run)
    today = listed() if index else {}
    for name, entry in index.items():
        current, digest = today.get(name), entry["sha256"]
        if current is not None and digest_of(current) == digest:
            continue
        copy = run / OWN_FILES / f"{name}.py"
        if not (copy.is_file() and digest_of(copy) == digest and (cache_folder() / MARKS / digest).exists()):
            raise UserError(_refusal(run, name, entry["path"], current, copy))
        if current is not None:
            _log.warning("%s has changed since the run in %s, whose own copy is used: %s", current, run, copy)
        standing[name] = copy.resolve()
    return standing


def digests_of(run: Path) -> dict[str, str]:
    """The SHA-256 of each of the user's files that a run used, by name."""
    return {name: entry["sha256"] for name, entry in _index(run).items()}


def _refusal(run: Path, name: str, path: str, current: Path | None, copy: Path) -> str:
    if current is not None:
        return (
            f"{current} has changed since the run in {run} learned by it. Put the older text back, or name the run's "
            f"copy, once you have read it: {VARIABLE}={copy}"
        )
    return (
        f"the run in {run} learned by a file, {name}.py ({path}), and a file is run only where you name it. Name "
        f"it, or the run's copy once you have read it: {VARIABLE}={copy}"
    )


def _index(run: Path) -> dict[str, dict[str, str]]:
    """The path and the SHA-256 of each file that a run used, by name; empty if it used none.

    Raises:
        UserError: the index is damaged.
    """
    path = run / OWN_FILES / INDEX
    if not path.is_file():
        return {}
    content = read_json(path)
    if not isinstance(content, dict) or not all(_is_entry(name, entry) for name, entry in content.items()):
        raise UserError(f"{path} is damaged. Restore it, or train again with --force")
    return content


def _is_entry(name: str, entry: Any) -> bool:
    """Whether an entry of the index has the form that `keep` writes."""
    whole = isinstance(entry, dict) and all(isinstance(entry.get(key), str) for key in ("path", "sha256"))
    return bool(whole and re.fullmatch(r"\w+", name) and re.fullmatch(r"[0-9a-f]{64}", entry["sha256"]))


def _mark(digest: str) -> None:
    """Record that this user has run a text. If the cache cannot be written, the user has to name the file again."""
    mark = cache_folder() / MARKS / digest
    try:
        mark.parent.mkdir(parents=True, exist_ok=True)
        mark.touch()
    except OSError as error:
        _log.warning("%s cannot be written (%s): name the file of the rule again when the run is read", mark, error)
