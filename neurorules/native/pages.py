"""Memory for large outputs: large pages where the system offers them, since small ones cost more than filling them."""

from __future__ import annotations

import ctypes
import functools
import mmap
from collections.abc import Callable

import torch
from torch import Tensor

LARGE = 1 << 21
"""Size of a large page in bytes."""


@functools.cache
def _advise() -> Callable[[int, int, int], int] | None:
    """The system's call by which a process asks for large pages; None where there is none."""
    if not hasattr(mmap, "MADV_HUGEPAGE"):
        return None
    try:
        advise = ctypes.CDLL(None).madvise
    except (AttributeError, OSError):
        return None
    advise.argtypes = ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int
    return advise


def fresh(*shape: int, like: Tensor, dtype: torch.dtype | None = None) -> Tensor:
    """An empty tensor, for whose memory large pages are asked where it is large enough to fill some.

    Nothing is said where the system refuses: the tensor is the same.

    Args:
        shape: of the tensor.
        like: gives the device, and the type.
        dtype: another type; that of `like` if None.

    Returns:
        The tensor, not filled.
    """
    tensor = like.new_empty(shape, dtype=dtype)
    size, advise = tensor.numel() * tensor.element_size(), _advise()
    if size >= 2 * LARGE and tensor.device.type == "cpu" and advise is not None:
        start = -(-tensor.data_ptr() // LARGE) * LARGE
        advise(start, (tensor.data_ptr() + size - start) // LARGE * LARGE, mmap.MADV_HUGEPAGE)
    return tensor
