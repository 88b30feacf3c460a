"""Convolutions in bfloat16, for users who ask for speed on a processor with units that multiply bfloat16.

torch has one setting by which matrix products are rounded. Its convolutions on CPUs gain little by that setting.
"""

from __future__ import annotations

import functools

import torch
from jaxtyping import Float
from torch import Tensor

MAPS_THAT_REPAY = 8
"""Number of maps from which on converting costs less time than it saves. Source: measured on a processor with AMX."""


def rounded(
    a: Float[Tensor, "*shape"], rows: Float[Tensor, "R C H W"]
) -> tuple[Float[Tensor, "*shape"], Float[Tensor, "R C H W"]]:
    """Round the two factors of a convolution to bfloat16 under `--precision fast`, where a CPU gains by it.

    Spikes are 0 or 1, which bfloat16 holds exactly.

    Args:
        a: weights, or rows of a post factor.
        rows: the maps that decide whether rounding repays, (R, C, H, W).

    Returns:
        Both factors in bfloat16, or both as they were.
    """
    fast = torch.get_float32_matmul_precision() == "medium"
    serves = rows.device.type == "cpu" and rows.dtype == torch.float32 and rows.shape[1] >= MAPS_THAT_REPAY
    if not (fast and serves and has_matrix_units()):
        return a, rows
    return a.to(torch.bfloat16), rows.to(torch.bfloat16)


@functools.cache
def has_matrix_units() -> bool:
    """Whether this processor has units that multiply matrices of bfloat16 (AMX)."""
    try:
        return bool(torch.cpu._is_amx_tile_supported())
    except AttributeError:  # the question is not public: other versions may not know it
        return False
