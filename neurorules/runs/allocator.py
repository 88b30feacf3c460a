"""The C library's treatment of freed memory, which can cost more time than the scans do."""

from __future__ import annotations

import ctypes
import functools

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # glibc, malloc.h
_LARGEST = 1 << 30
_LARGEST_BEFORE_GLIBC_2_35 = 1 << 25


@functools.cache
def keep_freed_memory() -> bool:
    """Let glibc keep large freed blocks for the next step instead of giving them back to the system.

    Without this setting each training step maps its (T, B, N) tensors anew, and the system clears every page of them
    again: a scan with 25 MB of output took 13 ms instead of 2. The price is that the process stays at its peak size. It
    is a setting of the whole process, so programs may call this and libraries may not.

    Returns:
        Whether the C library took the setting. With other C libraries than glibc nothing happens.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):
        return False
    mapped = mallopt(_M_MMAP_THRESHOLD, _LARGEST) or mallopt(_M_MMAP_THRESHOLD, _LARGEST_BEFORE_GLIBC_2_35)
    return bool(mapped and mallopt(_M_TRIM_THRESHOLD, _LARGEST))
