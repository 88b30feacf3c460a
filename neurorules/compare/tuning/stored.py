"""The file of a search, with the state to resume from and a digest against changes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from neurorules.compare.tuning.proposals import best_method
from neurorules.language.errors import MissingExtra, UserError
from neurorules.runs.atomic import write_text
from neurorules.runs.plain_json import read_json, to_json
from neurorules.runs.seal import SEAL, digest_of_config


class Form(NamedTuple):
    """The file of one kind of search.

    Args:
        command: the name of the command that searches, which is also the name of the file.
        asks: the call of that command, up to its options, for messages.
        doing: the text of the progress bar.
        version: the version of the file's format.
    """

    command: str
    asks: str
    doing: str
    version: int

    @property
    def file(self) -> str:
        """Name of the file in the folder of the search."""
        return f"{self.command}.json"

    @property
    def format(self) -> str:
        """The name of the file's format, which the file contains."""
        return f"neurorules-{self.command}"


TUNE = Form("tune", "neurorules tune", "tuning", 3)
TUNE_FILE = TUNE.file


def write_search(out: Path, search: Mapping[str, Any], form: Form = TUNE) -> dict[str, Any]:
    """Write the file of a search, with a digest of its content.

    Args:
        out: folder of the search.
        search: the content of the file, without format and digest.
        form: the form of the file.

    Returns:
        The content of the file.
    """
    content = {"format": form.format, "format_version": form.version, **search}
    sealed = {**content, SEAL: digest_of_config(content)}
    write_text(out / form.file, to_json(sealed, indent=2) + "\n")
    return sealed


def read_search(out: Path, form: Form) -> dict[str, Any]:
    """Read the file of a search.

    Args:
        out: folder of the search.
        form: the form of its file.

    Returns:
        The content of the file, without its digest.

    Raises:
        UserError: the file is not a search of this version, or has been changed.
    """
    path = out / form.file
    if not path.is_file():
        raise UserError(f"{path} is not a file. Remove it, or give another --out")
    stored = read_json(path)
    expected = (form.format, form.version)
    if not isinstance(stored, dict) or (stored.get("format"), stored.get("format_version")) != expected:
        raise UserError(f"{path} is not a search of this version. Begin again with --force, or give another --out")
    if stored.pop(SEAL, None) != digest_of_config(stored):
        raise UserError(f"{path} was changed after it was written. Restore it, or begin again with --force")
    return stored


def open_search(
    out: Path, form: Form, content: Mapping[str, Any], rows: Mapping[str, Any], trials: int, force: bool, resume: bool
) -> dict[str, Any]:
    """Read the search in a folder in order to resume it.

    Args:
        out: folder of the search.
        form: the form of its file.
        content: options of this search, by name.
        rows: settings of each rule in its first trial, by the name of its row.
        trials: number of trials of each rule.
        force: replace an older search.
        resume: continue an older search.

    Returns:
        The content of its file; empty if a new search begins.

    Raises:
        MissingExtra: the search needs optuna, which is not installed.
        UserError: the folder holds another search, or one that cannot be continued.
    """
    if (out / form.file).is_dir():
        raise UserError(f"{out / form.file} is a folder. Remove it, or give another --out")
    if not (out / form.file).exists() or (force and not resume):
        return {}
    if not resume:
        raise UserError(f"{out} holds another search. Add --force to replace it, --resume to continue it")
    stored = read_search(out, form)
    before = stored["asked"]
    pairs = [(name, before.get(name), content[name]) for name in content if name != "settings"]
    pairs += [(name, before["settings"].get(name), value) for name, value in content["settings"].items()]
    texts = [f"{name} is {to_json(old)}, asked {to_json(new)}" for name, old, new in pairs if old != new]
    if texts:
        raise UserError(
            f"the search in {out} was begun with other options: {'; '.join(texts)}. Ask for the same ones, or give "
            f"another --out"
        )
    if stored["rows"] != rows:
        raise UserError(
            f"the search in {out} began with other settings of the rules' own, as another version has them. Begin "
            f"again with --force, or give another --out"
        )
    there = max(len(row) for row in stored["trials"].values())
    if there > trials:
        raise UserError(f"the search in {out} has {there} trials of a rule, asked {trials}. Ask for {there} or more")
    if stored["method"] == "optuna" and best_method() != "optuna":
        raise MissingExtra(f"going on with the search in {out}", "optuna", "sweep")
    return stored
