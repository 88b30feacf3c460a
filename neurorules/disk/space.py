"""Space on the disk, reserved before a file is mapped into memory, because a full disk would kill the process later."""

from __future__ import annotations

import errno
import os
import shutil
from pathlib import Path

import numpy as np

ZEROS = 1 << 24
"""Number of bytes per write on systems where space can be reserved only by writing zeros."""


def mapped_array(path: Path, dtype: np.dtype, shape: tuple[int, ...]) -> np.ndarray:
    """Create a memory-mapped `.npy` file of zeros, with disk space reserved for all of it.

    Args:
        path: the path of the file; an older one is replaced.
        dtype: number type of the array.
        shape: the shape of the array.

    Returns:
        The array, which can be written.

    Raises:
        OSError: the disk has no room for it.
    """
    path.unlink(missing_ok=True)
    with path.open("wb") as file:
        header = {"descr": np.lib.format.dtype_to_descr(np.dtype(dtype)), "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_2_0(file, header)
        file.flush()
        reserve(file.fileno(), file.tell(), int(np.prod(shape, dtype=object)) * np.dtype(dtype).itemsize, path)
    return np.lib.format.open_memmap(path, mode="r+")


def reserve(descriptor: int, offset: int, size: int, path: Path) -> None:
    """Reserve disk space for a part of a file, and extend the file if necessary.

    Args:
        descriptor: the descriptor of the open file.
        offset: start of the part in bytes.
        size: length of the part, in bytes.
        path: the path of the file, for the error.

    Raises:
        OSError: the disk has no room for it.
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
    """Reserve space by writing zeros, on systems without a better way."""
    for start in range(0, size, ZEROS):
        os.pwrite(descriptor, bytes(min(ZEROS, size - start)), offset + start)


def gigabytes(size: int) -> str:
    """Format a size in bytes as GB or MB."""
    return f"{size / 1e9:,.1f} GB" if size >= 1e8 else f"{size / 1e6:,.1f} MB"
