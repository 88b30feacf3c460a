"""A setting of the C library's allocator, without which freeing memory can take longer than the scans."""

from __future__ import annotations

import ctypes
import functools

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # glibc, malloc.h
_LARGEST = 1 << 30
_LARGEST_BEFORE_GLIBC_2_35 = 1 << 25


@functools.cache
def keep_freed_memory() -> bool:
    """Make glibc keep large freed blocks for the next step instead of returning them to the system.

    Otherwise each training step maps its (T, B, N) tensors again, and the system clears every page: a scan with 25 MB
    of output took 13 ms instead of 2. The disadvantage is that the process keeps its peak size. The setting affects the
    whole process, so programs may call this function, but libraries should not.

    Returns:
        Whether the C library accepted the setting. With C libraries other than glibc, nothing happens.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):
        return False
    mapped = mallopt(_M_MMAP_THRESHOLD, _LARGEST) or mallopt(_M_MMAP_THRESHOLD, _LARGEST_BEFORE_GLIBC_2_35)
    return bool(mapped and mallopt(_M_TRIM_THRESHOLD, _LARGEST))
