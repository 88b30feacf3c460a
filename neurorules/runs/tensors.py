"""Tensors in safetensors files, which are written whole or not at all, and read without unpickling."""

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
        tensors: the tensors of any shape, type and device, by name.
        metadata: texts that the file holds beside them, by name.
    """
    # The format knows neither views nor shared memory: each tensor is laid out on its own.
    alone = {
        name: tensor.detach().cpu().clone(memory_format=torch.contiguous_format) for name, tensor in tensors.items()
    }
    write_bytes(path, save(alone, dict(metadata or {})))


def from_arrays(arrays: Mapping[str, np.ndarray]) -> dict[str, torch.Tensor]:
    """Turn arrays into tensors on the CPU, by the same names."""
    return {name: torch.from_numpy(np.ascontiguousarray(array)) for name, array in arrays.items()}


def to_arrays(tensors: Mapping[str, torch.Tensor]) -> dict[str, np.ndarray]:
    """Turn tensors into arrays, by the same names."""
    return {name: tensor.detach().cpu().numpy() for name, tensor in tensors.items()}


def load_tensors(path: Path) -> tuple[dict[str, torch.Tensor], dict[str, str]]:
    """Read a file: its tensors, on the CPU, and the texts that it holds beside them, both by name.

    Raises:
        UserError: the file is missing, cut short or of another format.
    """
    if not path.is_file():
        raise UserError(f"there is no file {path}")
    try:
        with safe_open(path, framework="pt", device="cpu") as file:
            return {name: file.get_tensor(name) for name in file.keys()}, dict(file.metadata() or {})  # noqa: SIM118
    except (SafetensorError, OSError, ValueError) as error:
        raise UserError(f"{path} is damaged, it is no whole safetensors file ({error})") from None
