"""Reading one array of an .npz file: its header is checked before anything is unpacked, and nothing is unpickled."""

from __future__ import annotations

import math
import zipfile
from typing import Any

import numpy as np

from neurorules.datasets._damage import reading
from neurorules.language.errors import UserError

HEADERS = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
"""Functions that read the header, by version of the format. Version 3 is for structured arrays with names beyond ASCII,
which are no numbers."""
SUFFIX = ".npy"


def names_in(archive: zipfile.ZipFile) -> list[str]:
    """The names of the arrays in an .npz file."""
    return [name.removesuffix(SUFFIX) for name in archive.namelist()]


def read_npy(archive: zipfile.ZipFile, name: str, where: str) -> np.ndarray:
    """Read one array of an .npz archive.

    Args:
        archive: an open .npz file.
        name: the name of the array, without suffix.
        where: how an error names the array.

    Returns:
        The array, of the shape and number type that its header says.

    Raises:
        UserError: it is no array of numbers, or its length is not what its header says.
    """
    info = archive.getinfo(name + SUFFIX if name + SUFFIX in archive.namelist() else name)
    with archive.open(info) as file:
        shape, fortran, kind = _header(file, where)
        header = file.tell()
        expected = header + math.prod(shape) * kind.itemsize
        if info.file_size != expected:
            state = "is cut short" if info.file_size < expected else "is too long"
            raise UserError(
                f"{where}: {state}: {info.file_size} bytes, but its header {shape} {kind} asks for {expected}. "
                f"Save it again with numpy.savez"
            )
        values = np.frombuffer(file.read(expected - header), dtype=kind)
    return values.reshape(shape, order="F" if fortran else "C")


def shape_of(archive: zipfile.ZipFile, name: str, where: str) -> tuple[int, ...]:
    """The shape of one array, without reading its values.

    Args:
        archive, name, where: as for `read_npy`.

    Raises:
        UserError: it is no array of numbers, or is damaged.
    """
    member = name + SUFFIX if name + SUFFIX in archive.namelist() else name
    with reading(where, "Save it again with numpy.savez"), archive.open(member) as file:
        return _header(file, where)[0]


def _header(file: Any, where: str) -> tuple[tuple[int, ...], bool, np.dtype]:
    """Shape, whether the values are in Fortran order, and number type, as the header of an open file says.

    Raises:
        UserError: the array holds no numbers.
    """
    version = np.lib.format.read_magic(file)
    if version not in HEADERS:
        raise UserError(f"{where}: holds no plain numbers. Save it as uint8 or float32")
    shape, fortran, kind = HEADERS[version](file)
    if kind.hasobject:
        raise UserError(
            f"{where}: cannot be read: it is an array of Python objects, which is never unpickled. Save numbers of one "
            f"shape, numpy.stack(list(array)), after padding samples of different lengths to one length"
        )
    return shape, fortran, kind
