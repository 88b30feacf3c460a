"""Calls into the compiled kernels: allocates the outputs and hands over addresses."""

from __future__ import annotations

import ctypes
from ctypes import c_double, c_int32, c_int64, c_void_p

import torch

from .contract import Reset, ReverseInputs, Scan, ScanInputs

DTYPES = {torch.float32: "float32", torch.float64: "float64"}
_STORAGE: dict[torch.dtype | None, int] = {
    torch.bool: 1,
    torch.uint8: 1,
    torch.bfloat16: 2,
}  # else 0: the layer's dtype


class _ScanTask(ctypes.Structure):
    """Field for field `ScanTask` of scans.c."""

    _fields_ = [
        *((name, c_void_p) for name in ("current", "beta", "threshold", "u0", "r0")),
        *((name, c_void_p) for name in ("spikes", "v", "u", "r", "mean_v", "mean_spikes")),
        *((name, c_int64) for name in ("current_stride", "steps", "size", "beta_size", "threshold_size")),
        *((name, c_int32) for name in ("reset", "delay", "storage", "threads")),
    ]


class _ReverseTask(ctypes.Structure):
    """Field for field `ReverseTask` of scans.c."""

    _fields_ = [
        *((name, c_void_p) for name in ("gradient", "beta", "threshold", "spikes", "v", "every_step", "total")),
        *((name, c_int64) for name in ("gradient_stride", "steps", "size", "beta_size", "threshold_size")),
        *((name, c_double) for name in ("slope", "scale")),
        *((name, c_int32) for name in ("zero", "psi", "storage", "threads")),
    ]


def _address(tensor: torch.Tensor | None) -> int | None:
    return None if tensor is None else tensor.data_ptr()


def scan(library: ctypes.CDLL, k: ScanInputs) -> Scan:
    """`reference.scan` in one pass over memory."""
    plane = k.current.shape[-2:]
    every = (k.steps, *plane)
    out = Scan(
        spikes=None if k.spike_dtype is None else torch.empty(every, dtype=k.spike_dtype),
        v=k.current.new_empty(every) if k.keep_v else None,
        u=k.current.new_empty(plane),
        r=k.current.new_empty(plane),
        mean_v=k.current.new_empty(plane) if k.mean_v else None,
        mean_spikes=k.current.new_empty(plane) if k.mean_spikes else None,
    )
    tensors = (k.current, k.beta, k.v_threshold, k.u0, k.r0, *out)
    size = out.u.numel()
    task = _ScanTask(
        *(_address(tensor) for tensor in tensors),
        *(size if k.current.ndim == 3 else 0, k.steps, size, k.beta.numel(), k.v_threshold.numel()),
        *(k.reset, k.reset_delay, _STORAGE.get(k.spike_dtype, 0), torch.get_num_threads()),
    )
    library[f"scan_{DTYPES[k.current.dtype]}"](ctypes.byref(task))
    return out


def reverse(library: ctypes.CDLL, k: ReverseInputs) -> torch.Tensor:
    """`reference.reverse` in one pass over memory."""
    plane = k.gradient.shape[-2:]
    out = k.gradient.new_empty(plane if k.total else (k.steps, *plane))
    size = plane.numel()
    tensors = (k.gradient, k.beta, k.v_threshold, k.spikes, k.v, *((None, out) if k.total else (out, None)))
    task = _ReverseTask(
        *(_address(tensor) for tensor in tensors),
        *(size if k.gradient.ndim == 3 else 0, k.steps, size, k.beta.numel(), k.v_threshold.numel()),
        *((k.psi.slope, k.psi.scale) if k.psi is not None else (0.0, 0.0)),
        *(k.reset is Reset.ZERO, -1 if k.psi is None else k.psi.shape),
        *(0 if k.spikes is None else _STORAGE.get(k.spikes.dtype, 0), torch.get_num_threads()),
    )
    library[f"reverse_{DTYPES[k.gradient.dtype]}"](ctypes.byref(task))
    return out
