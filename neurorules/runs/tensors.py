"""Tensors in safetensors files, which are written completely or not at all, and read without unpickling."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save

from neurorules.language.errors import UserError
from neurorules.runs.atomic import write_bytes


def save_tensors(path: Path, tensors: Mapping[str, torch.Tensor], metadata: Mapping[str, str] | None = None) -> None:
    """Write a file of tensors.

    Args:
        path: the path of the file.
        tensors: tensors of any shape, type and device, by name.
        metadata: texts to store in the file as well, by name.
    """
    # The format supports neither views nor shared memory, so each tensor is copied.
    alone = {
        name: tensor.detach().cpu().clone(memory_format=torch.contiguous_format) for name, tensor in tensors.items()
    }
    write_bytes(path, save(alone, dict(metadata or {})))


def from_arrays(arrays: Mapping[str, np.ndarray]) -> dict[str, torch.Tensor]:
    """Convert arrays to tensors on the CPU, with the same names."""
    return {name: torch.from_numpy(np.ascontiguousarray(array)) for name, array in arrays.items()}


def to_arrays(tensors: Mapping[str, torch.Tensor]) -> dict[str, np.ndarray]:
    """Convert tensors to arrays, with the same names."""
    return {name: tensor.detach().cpu().numpy() for name, tensor in tensors.items()}


def load_tensors(path: Path) -> tuple[dict[str, torch.Tensor], dict[str, str]]:
    """Read the tensors of a file to the CPU, and the texts in it, both by name.

    Raises:
        UserError: the file is missing, incomplete or of another format.
    """
    if not path.is_file():
        raise UserError(f"there is no file {path}. Check the path")
    try:
        with safe_open(path, framework="pt", device="cpu") as file:
            return {name: file.get_tensor(name) for name in file.keys()}, dict(file.metadata() or {})  # noqa: SIM118
    except (SafetensorError, OSError, ValueError) as error:
        raise UserError(f"{path} is damaged: it is not a complete safetensors file ({error}). Restore it") from None
