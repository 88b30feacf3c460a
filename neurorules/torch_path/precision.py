"""How exactly float32 matrices are multiplied while a learner works."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def matrix_precision(fast: bool) -> Iterator[None]:
    """Inside the block, `fast` lets float32 products round like bfloat16 or TF32 where the processor gains by it.

    That is on CUDA's tensor cores and on CPUs with matrix units; others compute in float32 all the same. The setting
    is torch's, for the whole process, and is put back afterwards.
    """
    if not fast:
        yield
        return
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("medium")
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before)
