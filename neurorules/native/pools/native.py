"""Calls into the compiled way back from maxima: these functions allocate the output and pass addresses."""

from __future__ import annotations

import ctypes
import functools
from ctypes import c_int32, c_int64, c_void_p
from math import prod
from pathlib import Path

import torch
from torch import Tensor

from neurorules.native import compile as compile_c
from neurorules.native.pages import fresh
from neurorules.native.scans.build import load_beside

SOURCES = tuple(Path(__file__).with_name(name) for name in ("pools.c", "pools_template.c"))


class _Windows(ctypes.Structure):
    """Field for field `Windows` of pools.c."""

    _fields_ = [
        *((name, c_void_p) for name in ("maps", "gradient", "out")),
        *((name, c_int64) for name in ("planes", "high", "wide")),
        ("threads", c_int32),
    ]


@functools.cache
def library() -> ctypes.CDLL | None:
    """The compiled kernel, or None, after one warning, if it cannot be compiled. Each process tries once."""
    return load_beside(SOURCES, compile_c.FLAGS, "maxima are carried back by torch")


def serves(maps: Tensor, gradient: Tensor, sides: tuple[int, int]) -> bool:
    """Whether the compiled kernel can carry a gradient back from maxima.

    Args:
        maps: the maps before the pool.
        gradient: the gradient by the maxima.
        sides: height and width of the windows.

    Returns:
        False for other windows than two by two, and if there is no kernel for the type or device, or if it cannot be
        compiled.
    """
    fits = sides == (2, 2) and maps.device.type == "cpu" and maps.dtype == gradient.dtype
    return fits and maps.dtype in compile_c.DTYPES and library() is not None


def back(maps: Tensor, gradient: Tensor) -> Tensor:
    """Carry a gradient back from the maxima of windows of two by two positions.

    Of equal values of a window the first one counts, as in torch; a value that is no number counts as an infinite one.

    Args:
        maps: the maps before the pool, (R, C, H, W).
        gradient: the gradient by each maximum, (R, C, H // 2, W // 2), of the same type.

    Returns:
        The gradient at the position that holds the maximum, and 0 elsewhere, (R, C, H, W).
    """
    maps, gradient = maps.contiguous(), gradient.contiguous()
    out = fresh(*maps.shape, like=maps)
    addresses = (tensor.data_ptr() for tensor in (maps, gradient, out))
    arguments = _Windows(*addresses, prod(maps.shape[:2]), *maps.shape[2:], torch.get_num_threads())
    compile_c.kernel_of(library(), "back", maps.dtype)(ctypes.byref(arguments))
    return out
