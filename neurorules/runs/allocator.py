"""How the C library treats freed memory, which can cost more than the scans do."""

from __future__ import annotations

import ctypes
import functools

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # glibc, malloc.h
_LARGEST = 1 << 30
_LARGEST_BEFORE_GLIBC_2_35 = 1 << 25


@functools.cache
def keep_freed_memory() -> bool:
    """Let glibc keep large freed blocks for the next step instead of giving them back to the system.

    Without it each training step maps its (T, B, N) tensors afresh and the system clears every page of them again:
    a scan with 25 MB of output took 13 ms instead of 2. The price is that the process stays at its peak size.
    It is a setting of the whole process, so programs call it and libraries do not.
    Returns: whether the C library took the setting; elsewhere than on glibc it does nothing.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):
        return False
    mapped = mallopt(_M_MMAP_THRESHOLD, _LARGEST) or mallopt(_M_MMAP_THRESHOLD, _LARGEST_BEFORE_GLIBC_2_35)
    return bool(mapped and mallopt(_M_TRIM_THRESHOLD, _LARGEST))
