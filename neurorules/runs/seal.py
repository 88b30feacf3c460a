"""The seal of a run: digests of its configuration and its weights, which show that its files belong together."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from neurorules.language.config import in_todays_words
from neurorules.language.errors import UserError
from neurorules.runs.plain_json import plain, read_json

SEAL_FILE = "seal.json"
"""Name of the file with the digests of a finished run."""
SEAL = "sha256"
"""The key of the configuration's digest in the metadata of the file of weights."""

OF_THE_MACHINE = ("device", "threads")
"""Settings for which a result stores the value that the machine chose, and not the user's value."""


def digest_of_config(config: Mapping[str, Any]) -> str:
    """SHA-256 of settings as hex digits; it does not depend on their order."""
    return hashlib.sha256(json.dumps(plain(config), sort_keys=True).encode()).hexdigest()


def digest_of_file(path: Path) -> str:
    """SHA-256 of a file as hex digits.

    Raises:
        UserError: there is no such file, or it cannot be read.
    """
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error.strerror}). Restore it, or train again with --force") from None


def check_config(path: Path, digest: str | None, config: Mapping[str, Any]) -> None:
    """Refuse a file that belongs to another configuration.

    Args:
        path: the path of the file, for the message.
        digest: the digest of the configuration that the file belongs to; None for a file of a version without digests,
            which is accepted.
        config: the configuration in the same folder.

    Raises:
        UserError: the file belongs to another configuration.
    """
    if digest is not None and digest != digest_of_config(config):
        raise UserError(
            f"{path} belongs to another configuration than {path.parent / 'config.json'}: one of the two was edited, "
            f"or comes from another run. Restore it, or train again with --force"
        )


def seal_of(config: Mapping[str, Any], weights: Path) -> dict[str, str]:
    """Compute the digests of a finished run.

    Args:
        config: the configuration of the run.
        weights: path of its weights.

    Returns:
        Hex digests by the keys "config" and "weights".

    Raises:
        UserError: the weights cannot be read.
    """
    return {"config": digest_of_config(config), "weights": digest_of_file(weights)}


def check_seal(folder: Path, result: Mapping[str, Any], config: Mapping[str, Any], weights: str) -> None:
    """Refuse a finished run whose configuration, weights and result do not belong together.

    A run of a version without digests is checked by its result, which repeats the settings.

    Args:
        folder: the folder of the run.
        result: content of `result.json`.
        config: content of `config.json`.
        weights: name of the file of weights.

    Raises:
        UserError: a file was changed; the message names the file or the setting.
    """
    for name, value in in_todays_words(config).items():
        left_open = value is None  # earlier versions stored None where the rule, the data set or the machine decided
        if not left_open and name not in OF_THE_MACHINE and name in result and result[name] != value:
            raise UserError(
                f"{folder / 'config.json'} says that {name} is {json.dumps(value)}, and the run was done with "
                f"{json.dumps(result[name])}: it was edited. Restore it, or train again with --force"
            )
    path = folder / SEAL_FILE
    if not path.exists():
        return
    seal = read_json(path)
    if not isinstance(seal, Mapping):
        raise UserError(f"{path} is damaged: it holds no digests. Restore it, or train again with --force")
    check_config(path, str(seal.get("config")), config)
    if seal.get("weights") != digest_of_file(folder / weights):
        raise UserError(
            f"{folder / weights} is not what this run has learned: it was edited, damaged, or comes from another run. "
            f"Restore it, or train again with --force"
        )
