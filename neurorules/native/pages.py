"""Memory for large outputs: large pages if the system offers them, since allocating small ones takes longer than
filling them.
"""

from __future__ import annotations

import ctypes
import functools
import mmap
from collections.abc import Callable

import torch
from torch import Tensor

LARGE = 1 << 21
"""The size of a large page in bytes."""


@functools.cache
def _advise() -> Callable[[int, int, int], int] | None:
    """The system call that requests large pages; None if the system has none."""
    if not hasattr(mmap, "MADV_HUGEPAGE"):
        return None
    try:
        advise = ctypes.CDLL(None).madvise
    except (AttributeError, OSError):
        return None
    advise.argtypes = ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int
    return advise


def fresh(*shape: int, like: Tensor, dtype: torch.dtype | None = None) -> Tensor:
    """An uninitialised tensor, in large pages if it is large enough.

    If the system refuses, the tensor is created in the usual way.

    Args:
        shape: the shape of the tensor.
        like: a tensor with the device and the data type.
        dtype: another data type; that of `like` if None.

    Returns:
        The uninitialised tensor.
    """
    tensor = like.new_empty(shape, dtype=dtype)
    size, advise = tensor.numel() * tensor.element_size(), _advise()
    if size >= 2 * LARGE and tensor.device.type == "cpu" and advise is not None:
        start = -(-tensor.data_ptr() // LARGE) * LARGE
        advise(start, (tensor.data_ptr() + size - start) // LARGE * LARGE, mmap.MADV_HUGEPAGE)
    return tensor
