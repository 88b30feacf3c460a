"""Convolutions in bfloat16, where a user asked for speed and the processor multiplies it in units of its own.

torch lets matrix products round by one setting; its convolutions on CPUs do not follow that setting at full speed.
"""

from __future__ import annotations

import functools

import torch
from torch import Tensor

CHANNELS_THAT_REPAY = 8
"""Input maps from which converting costs less than it saves. Source: measured on a processor with AMX."""


def rounds(rows: Tensor) -> bool:
    """Whether products with these rows (R, C, H, W) are to round: `--precision fast`, on a CPU that gains by it."""
    asked = torch.get_float32_matmul_precision() == "medium"
    serves = rows.device.type == "cpu" and rows.dtype == torch.float32 and rows.shape[1] >= CHANNELS_THAT_REPAY
    return asked and serves and _has_matrix_units()


def half(values: Tensor) -> Tensor:
    """The same in bfloat16; spikes lose nothing."""
    return values.to(torch.bfloat16)


@functools.cache
def _has_matrix_units() -> bool:
    return bool(torch.cpu._is_amx_tile_supported())
