"""The file of a search: what it must hold so that the search can go on, and that nobody has changed it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from neurorules.compare.tuning.proposals import best_method
from neurorules.language.errors import MissingExtra, UserError
from neurorules.runs.atomic import write_text
from neurorules.runs.plain_json import read_json, to_json
from neurorules.runs.seal import SEAL, digest_of_config

TUNE_FILE = "tune.json"
FORMAT, VERSION = "neurorules-tune", 2


def write_search(out: Path, search: Mapping[str, Any]) -> dict[str, Any]:
    """Write `tune.json`, with the digest of all it holds.

    Args:
        out: folder of the search.
        search: what the file holds, without format and digest.

    Returns:
        What the file holds.
    """
    content = {"format": FORMAT, "format_version": VERSION, **search}
    sealed = {**content, SEAL: digest_of_config(content)}
    write_text(out / TUNE_FILE, to_json(sealed, indent=2) + "\n")
    return sealed


def read_search(out: Path) -> dict[str, Any]:
    """Read `tune.json`.

    Raises:
        UserError: the file is no search of this version, or not what was written.
    """
    path = out / TUNE_FILE
    if not path.is_file():
        raise UserError(f"{path} is no file. Remove it, or give another --out")
    stored = read_json(path)
    if not isinstance(stored, dict) or (stored.get("format"), stored.get("format_version")) != (FORMAT, VERSION):
        raise UserError(f"{path} is no search of this version. Begin again with --force, or give another --out")
    if stored.pop(SEAL, None) != digest_of_config(stored):
        raise UserError(f"{path} was changed after it was written. Restore it, or begin again with --force")
    return stored


def open_search(
    out: Path, asked: Mapping[str, Any], rows: Mapping[str, Any], trials: int, force: bool, resume: bool
) -> dict[str, Any]:
    """Read the search that goes on in a folder.

    Args:
        out: folder of the search.
        asked: options of this search, by name.
        rows: settings of each rule in its first trial, by the name of its row.
        trials: number of trials of each rule.
        force: replaces an older search.
        resume: goes on with an older search.

    Returns:
        What its `tune.json` holds; empty where a new search begins.

    Raises:
        MissingExtra: the search needs optuna, which is not installed.
        UserError: another search stands in the folder, or one that cannot go on.
    """
    if (out / TUNE_FILE).is_dir():
        raise UserError(f"{out / TUNE_FILE} is a folder. Remove it, or give another --out")
    if not (out / TUNE_FILE).exists() or (force and not resume):
        return {}
    if not resume:
        raise UserError(f"{out} holds another search. Add --force to replace it, --resume to go on with it")
    stored = read_search(out)
    before = stored["asked"]
    pairs = [(name, before.get(name), asked[name]) for name in asked if name != "settings"]
    pairs += [(name, before["settings"].get(name), value) for name, value in asked["settings"].items()]
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
