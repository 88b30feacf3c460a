"""Room on a disk, taken before a file is mapped into memory: a page that finds none kills its process."""

from __future__ import annotations

import errno
import os
import shutil
from pathlib import Path

import numpy as np

ZEROS = 1 << 24
"""Bytes written at once where room cannot be had without writing."""


def mapped_array(path: Path, dtype: np.dtype, shape: tuple[int, ...]) -> np.ndarray:
    """A new `.npy` file of zeros that can be written to its end, memory-mapped.

    Raises:
        OSError: there is no room for it.
    """
    path.unlink(missing_ok=True)
    with path.open("wb") as file:
        about = {"descr": np.lib.format.dtype_to_descr(np.dtype(dtype)), "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_2_0(file, about)
        file.flush()
        reserve(file.fileno(), file.tell(), int(np.prod(shape, dtype=object)) * np.dtype(dtype).itemsize, path)
    return np.lib.format.open_memmap(path, mode="r+")


def reserve(descriptor: int, offset: int, size: int, path: Path) -> None:
    """Make a file long enough, and have room for all of it.

    Raises:
        OSError: there is none.
    """
    if not size:
        return
    free = shutil.disk_usage(path.parent).free
    if size > free:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
    try:
        os.posix_fallocate(descriptor, offset, size)
    except AttributeError:  # macOS
        _write_zeros(descriptor, offset, size)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.EOPNOTSUPP, errno.ENOSYS):
            raise OSError(error.errno, os.strerror(error.errno or 0), str(path)) from None
        _write_zeros(descriptor, offset, size)


def _write_zeros(descriptor: int, offset: int, size: int) -> None:
    for start in range(0, size, ZEROS):
        os.pwrite(descriptor, bytes(min(ZEROS, size - start)), offset + start)


def gigabytes(size: int) -> str:
    """A size as people write it."""
    return f"{size / 1e9:,.1f} GB" if size >= 1e8 else f"{size / 1e6:,.1f} MB"
