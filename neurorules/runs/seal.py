"""What binds the files of a run to each other: digests of its configuration and of its weights."""

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
"""Holds the digests of a finished run."""
SEAL = "sha256"
"""Key of a configuration's digest in the texts beside the tensors of weights."""

OF_THE_MACHINE = ("device", "threads")
"""Settings of which a result says what the machine made of them."""


def digest_of_config(config: Mapping[str, Any]) -> str:
    """Of the settings, however they are written down."""
    return hashlib.sha256(json.dumps(plain(config), sort_keys=True).encode()).hexdigest()


def digest_of_file(path: Path) -> str:
    """Of every byte.

    Raises:
        UserError: there is no such file, or it cannot be read.
    """
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error.strerror}). Restore it, or train again with --force") from None


def check_config(path: Path, digest: str | None, config: Mapping[str, Any]) -> None:
    """Whether a file belongs to a configuration; one of a version that wrote no digest may.

    Args:
        path: the file, for the message.
        digest: what it says of its configuration.
        config: of its folder.

    Raises:
        UserError: it belongs to another.
    """
    if digest is not None and digest != digest_of_config(config):
        raise UserError(
            f"{path} belongs to another configuration than {path.parent / 'config.json'}: one of the two was edited, "
            f"or comes from another run. Restore it, or train again with --force"
        )


def seal_of(config: Mapping[str, Any], weights: Path) -> dict[str, str]:
    """The digests of a run that has finished."""
    return {"config": digest_of_config(config), "weights": digest_of_file(weights)}


def check_seal(folder: Path, result: Mapping[str, Any], config: Mapping[str, Any], weights: str) -> None:
    """Whether configuration, weights and result of a finished run belong together.

    A run of a version that wrote no digests is judged by its result, which repeats the settings.

    Args:
        folder: of the run.
        result: what `result.json` holds.
        config: what `config.json` holds.
        weights: name of the file of weights.

    Raises:
        UserError: they do not; the file, or the setting, is named.
    """
    for name, value in in_todays_words(config).items():
        left_open = value is None  # as earlier versions stored what the rule, the data set or the machine decided
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
        raise UserError(f"{path} is damaged, it holds no digests. Restore it, or train again with --force")
    check_config(path, str(seal.get("config")), config)
    if seal.get("weights") != digest_of_file(folder / weights):
        raise UserError(
            f"{folder / weights} is not what this run has learned: it was edited, damaged, or comes from another run. "
            f"Restore it, or train again with --force"
        )
