"""Calls into the compiled kernels: these functions allocate the outputs and pass addresses."""

from __future__ import annotations

import ctypes
from ctypes import c_double, c_int32, c_int64, c_void_p

import torch

from neurorules.native.compile import DTYPES
from neurorules.native.pages import fresh

from .contract import Affine, Onwards, Psi, PsiShape, Reset, Reverse, ReverseInputs, Scan, ScanInputs

MOST_STEPS, FEWEST_NEURONS = 128, 16
"""The largest number of steps whose membranes are computed again, as in scans.c, and the smallest number of neurons:
those of a vector."""
_STORAGE: dict[torch.dtype | None, int] = {
    torch.bool: 1,
    torch.uint8: 1,
    torch.bfloat16: 2,
}  # otherwise 0, for the layer's dtype


class AffineFields(ctypes.Structure):
    """Field for field `Affine` of scans.c."""

    _fields_ = [
        *((name, c_void_p) for name in ("shift", "mean", "gain", "bias")),
        *((name, c_int64) for name in ("shift_size", "mean_size", "gain_size", "bias_size")),
    ]


class _ScanTask(ctypes.Structure):
    """Field for field `ScanTask` of scans.c."""

    _fields_ = [
        *((name, c_void_p) for name in ("current", "beta", "threshold", "u0")),
        *((name, c_void_p) for name in ("spikes", "v", "u", "spike_total", "total", "current_sum", "square_sum")),
        *((name, c_int64) for name in ("current_stride", "steps", "size", "beta_size", "threshold_size")),
        ("affine", AffineFields),
        ("slope", c_double),
        *((name, c_int32) for name in ("reset", "delay", "storage", "summed", "shape", "threads")),
    ]


class _Onwards(ctypes.Structure):
    """Field for field `Onwards` of scans.c."""

    _fields_ = [
        *((name, c_void_p) for name in ("step", "total")),
        *((name, c_double) for name in ("beta", "slope", "scale")),
        *((name, c_int32) for name in ("psi", "weighed", "cut")),
    ]


class _ReverseTask(ctypes.Structure):
    """Field for field `ReverseTask` of scans.c."""

    _fields_ = [
        *((name, c_void_p) for name in ("gradient", "beta", "threshold", "spikes", "v", "current")),
        *((name, c_void_p) for name in ("every_step", "every_total", "total", "product")),
        *((name, c_int64) for name in ("gradient_stride", "current_stride", "steps", "size")),
        *((name, c_int64) for name in ("beta_size", "threshold_size")),
        ("affine", AffineFields),
        *((name, c_void_p) for name in ("mean_d", "mean_product")),
        ("statistics_size", c_int64),
        *((name, c_double) for name in ("slope", "scale", "outer")),
        *((name, c_int32) for name in ("zero", "psi", "storage", "threads")),
        ("rerun", ctypes.POINTER(_ScanTask)),
        ("onwards", ctypes.POINTER(_Onwards)),
    ]


def address(tensor: torch.Tensor | None) -> int | None:
    """The address of a tensor's values; None for None."""
    return None if tensor is None else tensor.data_ptr()


def affine_fields(affine: Affine) -> AffineFields:
    """The fields of an affine map in the form of C. Its tensors must exist until the call returns."""
    sizes = (0 if part is None else part.numel() for part in affine)
    return AffineFields(*(address(part) for part in affine), *sizes)


def scan(library: ctypes.CDLL, k: ScanInputs) -> Scan:
    """Run `reference.scan` in one pass over memory.

    Args:
        library: the compiled kernels.
        k: checked inputs, on a CPU.

    Returns:
        The requested outputs.
    """
    plane = k.current.shape[-2:]
    every = (k.steps, *plane)
    out = Scan(
        spikes=None if k.spike_dtype is None else fresh(*every, like=k.current, dtype=k.spike_dtype),
        v=fresh(*every, like=k.current) if k.keep_v else None,
        u=k.current.new_empty(plane),
        spike_total=k.current.new_empty(plane) if k.spike_total else None,
        total=k.current.new_empty(plane) if k.total is not None else None,
        current_sum=k.current.new_empty(plane) if k.moments else None,
        square_sum=k.current.new_empty(plane) if k.moments else None,
    )
    task = scan_task(k, out)
    library[f"scan_{DTYPES[k.current.dtype]}"](ctypes.byref(task))
    if out.total is not None and k.psi is not None:
        out.total.mul_(k.psi.scale / k.psi.slope)
    return out


def scan_task(k: ScanInputs, out: Scan | None = None) -> _ScanTask:
    """The task of a scan in the form of C. Its tensors must exist until the call returns.

    Args:
        k: checked inputs.
        out: the outputs; None for none, where only the membranes are computed again.

    Returns:
        The task.
    """
    size = k.current.shape[-2:].numel()
    outputs = [None] * len(Scan._fields) if out is None else out
    return _ScanTask(
        *(address(tensor) for tensor in (k.current, k.beta, k.v_threshold, k.u0, *outputs)),
        *(size if k.current.ndim == 3 else 0, k.steps, size, k.beta.numel(), k.v_threshold.numel()),
        *(affine_fields(k.affine), 1.0 if k.psi is None else k.psi.slope),
        *(k.reset, k.reset_delay, _STORAGE.get(k.spike_dtype, 0)),
        *(0 if k.total is None else k.total, 0 if k.psi is None else k.psi.shape, torch.get_num_threads()),
    )


def reverse(library: ctypes.CDLL, k: ReverseInputs) -> Reverse:
    """Run `reference.reverse` in one pass over memory.

    Args:
        library: the compiled kernels.
        k: checked inputs, on a CPU.

    Returns:
        The requested outputs.
    """
    plane, through, psi = k.gradient.shape[-2:], k.through, k.psi
    out = Reverse(
        every=fresh(k.steps, *plane, like=k.gradient) if k.keep_every else None,
        every_total=k.gradient.new_empty(plane) if k.totals else None,
        total=k.gradient.new_empty(plane) if k.totals else None,
        product=k.gradient.new_empty(plane) if k.totals and through is not None else None,
        onwards=fresh(k.steps, *plane, like=k.gradient) if k.onwards is not None and k.onwards.every else None,
        onwards_total=None if k.onwards is None else k.gradient.new_empty(plane),
    )
    size = plane.numel()
    current = None if through is None else through.current
    outputs = out.every, out.every_total, out.total, out.product
    task = _ReverseTask(
        *(address(tensor) for tensor in (k.gradient, k.beta, k.v_threshold, k.spikes, k.v, current, *outputs)),
        *(size if k.gradient.ndim == 3 else 0, size if current is not None and current.ndim == 3 else 0),
        *(k.steps, size, k.beta.numel(), k.v_threshold.numel()),
        affine_fields(Affine() if through is None else through.affine),
        *((None, None, 0) if through is None else _statistics(through.mean_d, through.mean_product)),
        *((1.0, 1.0) if psi is None else (psi.slope, psi.scale)),
        *(k.outer, k.reset is Reset.ZERO, PsiShape.FLAT if psi is None else psi.shape),
        *(0 if k.spikes is None else _STORAGE.get(k.spikes.dtype, 0), torch.get_num_threads()),
        None if k.rerun is None else ctypes.pointer(scan_task(k.rerun)),
        None if k.onwards is None else ctypes.pointer(_onwards_task(k.onwards, out)),
    )
    library[f"reverse_{DTYPES[k.gradient.dtype]}"](ctypes.byref(task))
    return out


def _onwards_task(onwards: Onwards, out: Reverse) -> _Onwards:
    psi = onwards.slope or Psi(PsiShape.FLAT)
    return _Onwards(
        address(out.onwards), address(out.onwards_total), onwards.beta, psi.slope, psi.scale, psi.shape,
        onwards.weighed, onwards.cut,
    )  # fmt: skip


def _statistics(mean_d: torch.Tensor, mean_product: torch.Tensor) -> tuple[int, int, int]:
    return mean_d.data_ptr(), mean_product.data_ptr(), mean_d.numel()
