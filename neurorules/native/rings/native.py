"""Calls into the compiled rings: these functions allocate the outputs and pass addresses."""

from __future__ import annotations

import ctypes
import functools
from collections.abc import Sequence
from ctypes import c_double, c_int32, c_int64, c_void_p
from pathlib import Path

import torch
from torch import Tensor

from neurorules.native import compile as compile_c
from neurorules.native.rings.system import Mode, RingSystem

SOURCES = tuple(Path(__file__).with_name(name) for name in ("rings.c", "ring_template.c", "rings_template.c"))
FLAGS = (*compile_c.FLAGS, "-ffp-contract=fast")
"""Fused multiply-adds are allowed in rings."""


class _System(ctypes.Structure):
    """Field for field `System` of rings.c."""

    _fields_ = [
        *((name, c_double) for name in ("k2", "k3", "h", "saturation")),
        ("taps", c_double * 5),
        ("steps", c_int64),
        ("mode", c_int32),
        ("threads", c_int32),
    ]


@functools.cache
def library() -> ctypes.CDLL | None:
    """The compiled rings, or None, after one warning, if they cannot be compiled. Each process tries once."""
    return compile_c.load(compile_c.find_compiler(), SOURCES, FLAGS, instead="rings run in plain torch")


def serves(tensor: Tensor) -> bool:
    """Whether the compiled kernels can run rings that are driven by a tensor of this type and device."""
    return tensor.device.type == "cpu" and tensor.dtype in compile_c.DTYPES and library() is not None


def _call(
    name: str, system: RingSystem, taps: Sequence[float], mode: Mode, tensors: Sequence[Tensor | None], *sizes: int
) -> None:
    numbers = (system.k2, system.k3, system.h, system.saturation, (c_double * 5)(*taps), system.steps)
    structure = _System(*numbers, int(mode), torch.get_num_threads())
    dtype = next(x.dtype for x in tensors if x is not None)
    addresses = (c_void_p(None if x is None else x.data_ptr()) for x in tensors)
    compile_c.kernel_of(library(), name, dtype)(ctypes.byref(structure), *addresses, *(c_int64(n) for n in sizes))


def nodes(system: RingSystem, taps: Sequence[float], drive: Tensor, rest: Tensor) -> tuple[Tensor, Tensor]:
    """Run the rings of neurons, compiled.

    Args:
        system: the numbers of the rings.
        taps: weights of the five displacements in the output.
        drive: (R, N), already saturated, contiguous.
        rest: x* (5, N), contiguous.

    Returns:
        Output (R, N), and the final state (R, 5, N).
    """
    rows, size = drive.shape
    out, final = torch.empty_like(drive), drive.new_empty(rows, 5, size)
    _call("nodes", system, taps, Mode.FINAL, (drive, rest, out, final), rows, size)
    return out, final


def nodes_back(
    system: RingSystem, taps: Sequence[float], mode: Mode, error: Tensor, drive: Tensor, rest: Tensor, final: Tensor,
    sums: bool,
) -> tuple[Tensor, Tensor | None]:  # fmt: skip
    """Run the reverse circuit of neurons' rings, compiled.

    Args:
        system: the numbers of the rings.
        taps: weights of the five displacements in the output.
        mode: the way in which the reverse signal travels.
        error: the error of the output, (R, N), contiguous.
        drive, rest, final: as in `nodes`.
        sums: whether the gradient of ln x* is needed.

    Returns:
        The gradient of the drives before saturation (R, N), and the gradient of ln x* (5, N); None unless `sums`.
    """
    rows, size = drive.shape
    arrived = torch.empty_like(drive)
    gradient = drive.new_empty(5, size) if sums else None
    _call("nodes_back", system, taps, mode, (error, drive, rest, final, arrived, gradient), rows, size)
    return arrived, gradient


def edges(system: RingSystem, taps: Sequence[float], drive: Tensor, rest: Tensor) -> Tensor:
    """Run the rings of connections, compiled.

    Args:
        system: the numbers of the rings.
        taps: weights of the five displacements in the output.
        drive: (R, I), already saturated, contiguous.
        rest: x* (5, I, O), contiguous.

    Returns:
        Output, summed over I: (R, O).
    """
    (rows, pre), post = drive.shape, rest.shape[2]
    out = drive.new_empty(rows, post)
    _call("edges", system, taps, Mode.FINAL, (drive, rest, out), rows, pre, post)
    return out


def edges_sums(
    system: RingSystem, taps: Sequence[float], mode: Mode, error: Tensor, drive: Tensor, rest: Tensor
) -> Tensor:
    """The gradient of connections' ln x*, compiled.

    Args:
        system: the numbers of the rings.
        taps: weights of the five displacements in the output.
        mode: the way in which the reverse signal travels.
        error: the error of the summed output, (R, O), contiguous.
        drive, rest: as in `edges`.

    Returns:
        The gradient (5, I, O), summed over rows.
    """
    (rows, pre), post = drive.shape, rest.shape[2]
    sums = torch.empty_like(rest)
    _call("edges_sums", system, taps, mode, (error, drive, rest, sums), rows, pre, post)
    return sums


def edges_back(
    system: RingSystem, taps: Sequence[float], mode: Mode, error: Tensor, drive: Tensor, rest: Tensor
) -> Tensor:
    """Run the reverse circuit of connections' rings, compiled.

    Args:
        system: the numbers of the rings.
        taps: weights of the five displacements in the output.
        mode: the way in which the reverse signal travels.
        error: the error of the summed output, (R, O), contiguous.
        drive, rest: as in `edges`.

    Returns:
        The gradient of the drives before saturation, (R, I).
    """
    (rows, pre), post = drive.shape, rest.shape[2]
    arrived = torch.empty_like(drive)
    _call("edges_back", system, taps, mode, (error, drive, rest, arrived), rows, pre, post)
    return arrived
