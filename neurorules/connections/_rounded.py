"""Convolutions in bfloat16, where a user asked for speed and the processor multiplies it in units of its own.

torch rounds matrix products by one setting; its convolutions on CPUs follow that setting at little gain.
"""

from __future__ import annotations

import functools

import torch
from torch import Tensor

MAPS_THAT_REPAY = 8
"""Maps from which converting costs less than it saves. Source: measured on a processor with AMX."""


def rounded(a: Tensor, rows: Tensor) -> tuple[Tensor, Tensor]:
    """The factors of a convolution: bfloat16 under `--precision fast` where a CPU gains by it; spikes lose nothing.

    Args:
        a: weights or rows.
        rows: (R, C, H, W).
    """
    asked = torch.get_float32_matmul_precision() == "medium"
    serves = rows.device.type == "cpu" and rows.dtype == torch.float32 and rows.shape[1] >= MAPS_THAT_REPAY
    if not (asked and serves and has_matrix_units()):
        return a, rows
    return a.to(torch.bfloat16), rows.to(torch.bfloat16)


@functools.cache
def has_matrix_units() -> bool:
    """Whether this processor multiplies matrices of bfloat16 in units of its own (AMX)."""
    try:
        return bool(torch.cpu._is_amx_tile_supported())
    except AttributeError:  # the question is not public: other versions may not know it
        return False
