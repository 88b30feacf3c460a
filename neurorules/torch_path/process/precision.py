"""The precision in which float32 matrices are multiplied while a learner works."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch


@contextmanager
def matrix_precision(fast: bool) -> Iterator[None]:
    """Inside the block, float32 products are exact, or with `fast` round like bfloat16 or TF32 where that gains.

    That is on CUDA's tensor cores and on CPUs with matrix units; others compute in float32 all the same. The setting
    is torch's, for the whole process, and is put back afterwards.
    """
    before, own = _rounding(), "medium" if fast else "highest"
    if before == own:
        yield
        return
    torch.set_float32_matmul_precision(own)
    try:
        yield
    finally:
        if isinstance(before, str):
            torch.set_float32_matmul_precision(before)
        else:
            for backend, precision in before:
                backend.fp32_precision = precision


def _rounding() -> Any:
    """The setting in torch's one word, or those of the backends where they were set one by one."""
    try:
        return torch.get_float32_matmul_precision()
    except RuntimeError:  # they disagree, and the one word is refused
        backends: list[Any] = [torch.backends.mkldnn.matmul, torch.backends.cuda.matmul]  # type: ignore[attr-defined]
        return [(backend, backend.fp32_precision) for backend in backends]
