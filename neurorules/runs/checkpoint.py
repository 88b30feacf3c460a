"""Checkpoints of a run: a safetensors file that contains the hash of its content, and the previous checkpoint.

At any time at least one complete checkpoint is on the disk: a new one is written completely under a temporary name
before the last one is renamed to the previous one.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch

from neurorules.language.errors import UserError
from neurorules.runs.plain_json import to_json
from neurorules.runs.seal import check_config, digest_of_config
from neurorules.runs.tensors import load_tensors, save_tensors

CURRENT = "checkpoint.safetensors"
PREVIOUS = "checkpoint.previous.safetensors"
DAMAGED = "checkpoint.damaged.safetensors"
_INCOMING = "checkpoint.incoming.safetensors"
FILES = (CURRENT, PREVIOUS, DAMAGED, _INCOMING)

_log = logging.getLogger(__name__)


class Checkpoint(NamedTuple):
    """The content of a checkpoint, from which a run continues.

    Args:
        tensors: weights, state of the optimiser and states of random generators, by name.
        state: plain values, such as the epoch, by name.
    """

    tensors: dict[str, torch.Tensor]
    state: dict[str, Any]


def save(
    folder: Path, tensors: Mapping[str, torch.Tensor], state: Mapping[str, Any], config: Mapping[str, Any] | None = None
) -> None:
    """Write a checkpoint to a run's folder; the last one becomes the previous one.

    Args:
        folder: an existing run folder.
        tensors: tensors of any shape and type; a `torch.Generator` is stored as its uint8 state.
        state: JSON values, such as the epoch. Numbers that are not finite are loaded as None.
        config: settings of the run that the checkpoint belongs to; None for a checkpoint that fits any run.
    """
    text = to_json(state)
    belongs = {} if config is None else {"config": digest_of_config(config)}
    incoming, current = folder / _INCOMING, folder / CURRENT
    digest = _digest(tensors, text + belongs.get("config", ""))
    save_tensors(incoming, tensors, {"state": text, "sha256": digest, **belongs})
    if current.exists():
        os.replace(current, folder / PREVIOUS)
    os.replace(incoming, current)


def load(folder: Path, config: Mapping[str, Any] | None = None) -> Checkpoint | None:
    """Read the newest intact checkpoint.

    A damaged checkpoint causes a warning and is renamed to `checkpoint.damaged.safetensors`, so that it cannot be used.

    Args:
        folder: the folder of the run.
        config: settings that the checkpoint must have, if it stores any; None to skip this check.

    Returns:
        The checkpoint on the CPU, or None if there is no intact one.

    Raises:
        UserError: the checkpoint belongs to other settings, or a folder has its name.
    """
    # A complete incoming file is newer than the current one: its process stopped before it renamed the files.
    for name in (_INCOMING, CURRENT, PREVIOUS):
        path = folder / name
        if not path.exists():
            continue
        if not path.is_file():
            raise UserError(f"{path} is not a file. Remove it; the checkpoint before it is then used")
        try:
            stored, belongs = _read(path)
            break
        except UserError as error:
            os.replace(path, folder / DAMAGED)
            _log.warning("%s. Looking for the one before it; the damaged file is now %s", error, DAMAGED)
    else:
        return None
    if config is not None:
        check_config(path, belongs, config)
    return stored


def read(path: Path) -> Checkpoint:
    """Read one checkpoint file to the CPU, and check the hash of its content.

    Raises:
        UserError: the file is missing, incomplete or changed.
    """
    return _read(path)[0]


def _read(path: Path) -> tuple[Checkpoint, str | None]:
    """A checkpoint, and the digest of its settings; None for a checkpoint that fits any run."""
    tensors, texts = load_tensors(path)
    text, belongs = texts.get("state", ""), texts.get("config")
    if texts.get("sha256") != _digest(tensors, text + (belongs or "")):
        raise UserError(
            f"{path} is damaged: its content does not match its hash. Remove it; the checkpoint before it is then used"
        )
    return Checkpoint(tensors, json.loads(text)), belongs


def _digest(tensors: Mapping[str, torch.Tensor], text: str) -> str:
    """The hash of a text and of the names, types, shapes and bits of tensors, as hex digits."""
    digest = hashlib.sha256(text.encode("utf-8"))
    for name in sorted(tensors):
        tensor = tensors[name].detach().cpu().contiguous()
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()
