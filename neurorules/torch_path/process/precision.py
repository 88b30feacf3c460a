"""The precision in which float32 matrices are multiplied while a learner works."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch


@contextmanager
def matrix_precision(fast: bool) -> Iterator[None]:
    """Inside the block, float32 products are exact, or with `fast` round like bfloat16 or TF32 where that is faster.

    It is faster on CUDA's tensor cores and on CPUs with matrix units; other processors compute in float32 in either
    case. The setting is torch's, for the whole process, and is put back afterwards.
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
    """The setting as torch's single word, or one setting for each backend if they differ."""
    try:
        return torch.get_float32_matmul_precision()
    except RuntimeError:  # the backends differ, so torch refuses to give a single word
        backends: list[Any] = [torch.backends.mkldnn.matmul, torch.backends.cuda.matmul]  # type: ignore[attr-defined]
        return [(backend, backend.fp32_precision) for backend in backends]
