"""The state of a learner in one safetensors file, at a path that the user chooses."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch

from neurorules.disk.failures import cannot_write
from neurorules.runs.outputs import check_output
from neurorules.runs.tensors import save_tensors


def save_state(path: Path, tensors: Mapping[str, torch.Tensor]) -> None:
    """Write named tensors to a file; missing folders are created.

    Args:
        path: the path of the file.
        tensors: tensors of any shape, type and device, by name.

    Raises:
        UserError: the file cannot be written; an older file is unchanged.
    """
    check_output(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        save_tensors(path, tensors)
    except OSError as error:
        raise cannot_write(str(path), error) from None
