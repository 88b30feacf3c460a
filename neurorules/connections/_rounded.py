"""Convolutions in bfloat16 under `--precision fast`, on processors with matrix units for bfloat16.

torch's own setting for rounding matrix products speeds up its convolutions on CPUs only little.
"""

from __future__ import annotations

import functools

import torch
from jaxtyping import Float
from torch import Tensor

MAPS_THAT_REPAY = 8
"""Smallest number of maps for which the conversion saves time. Source: measured on a processor with AMX."""


def rounded(
    a: Float[Tensor, "*shape"], rows: Float[Tensor, "R C H W"]
) -> tuple[Float[Tensor, "*shape"], Float[Tensor, "R C H W"]]:
    """Round the two factors of a convolution to bfloat16 under `--precision fast`, if that is faster on this CPU.

    Spikes are 0 or 1, which bfloat16 holds exactly.

    Args:
        a: weights, or rows of a post factor.
        rows: the maps, whose number decides whether rounding saves time, (R, C, H, W).

    Returns:
        Both factors in bfloat16, or both unchanged.
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
    except AttributeError:  # other versions may lack this private function
        return False
