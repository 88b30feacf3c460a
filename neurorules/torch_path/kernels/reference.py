"""The scans in plain torch: meaning and oracle of the C kernels, and what runs where they cannot (CUDA, no cc)."""

from __future__ import annotations

import torch

from .contract import Psi, PsiShape, Reset, ReverseInputs, Scan, ScanInputs


def _integrate(k: ScanInputs, u: torch.Tensor, r: torch.Tensor, current: torch.Tensor) -> torch.Tensor:
    """Membrane before the reset; a delayed reset of the step before is part of it (order of operations: snnTorch's)."""
    if not k.reset_delay or k.reset is Reset.NONE:
        return k.beta * u + current
    if k.reset is Reset.ZERO:
        return k.beta * ((1 - r) * u) + current
    return (k.beta * u + current) - r * k.v_threshold


def _left_behind(k: ScanInputs, v: torch.Tensor, spikes: torch.Tensor) -> torch.Tensor:
    if k.reset_delay or k.reset is Reset.NONE:
        return v
    if k.reset is Reset.ZERO:
        return v * (1 - spikes)
    return v - spikes * k.v_threshold


def scan(k: ScanInputs) -> Scan:
    """Run a layer through time, one torch step after the other. See `kernels.scan`."""
    plane = k.current.shape[-2:]
    every = (k.steps, *plane)
    spikes = None if k.spike_dtype is None else k.current.new_empty(every, dtype=k.spike_dtype)
    v = k.current.new_empty(every) if k.keep_v else None
    sum_v = k.current.new_zeros(plane) if k.mean_v else None
    sum_spikes = k.current.new_zeros(plane) if k.mean_spikes else None
    u = k.current.new_zeros(plane) if k.u0 is None else k.u0
    r = k.current.new_zeros(plane) if k.r0 is None else k.r0
    for t in range(k.steps):
        here = _integrate(k, u, r, k.current[t] if k.current.ndim == 3 else k.current)
        r = (here > k.v_threshold).to(here.dtype)
        u = _left_behind(k, here, r)
        if spikes is not None:
            spikes[t] = r
        if v is not None:
            v[t] = here
        if sum_v is not None:
            sum_v += here.clamp(min=0)
        if sum_spikes is not None:
            sum_spikes += r
    mean_v = None if sum_v is None else sum_v / k.steps
    mean_spikes = None if sum_spikes is None else sum_spikes / k.steps
    return Scan(spikes, v, u, r, mean_v, mean_spikes)


def surrogate(psi: Psi, v: torch.Tensor, v_threshold: torch.Tensor) -> torch.Tensor:
    """psi(v), of v's shape."""
    z = psi.slope * (v - v_threshold)
    size = z.abs()
    if psi.shape is PsiShape.BOXCAR:
        height = (size <= 1).to(v.dtype)
    elif psi.shape is PsiShape.TRIANGLE:
        height = (1 - size).clamp(min=0)
    elif psi.shape is PsiShape.FAST_SIGMOID:
        height = 1 / ((1 + size) * (1 + size))
    else:
        height = 1 / (1 + z * z)
    return psi.scale * height


def _gate(k: ReverseInputs, t: int) -> torch.Tensor:
    """d v[t+1] / d v[t] with the reset taken as a constant, the same with and without a delayed reset."""
    if k.reset is Reset.ZERO and k.spikes is not None:
        return torch.where(k.spikes[t] != 0, torch.zeros_like(k.beta), k.beta)
    if k.reset is Reset.ZERO and k.v is not None:
        return torch.where(k.v[t] > k.v_threshold, torch.zeros_like(k.beta), k.beta)
    return k.beta


def reverse(k: ReverseInputs) -> torch.Tensor:
    """Adjoint of the current, one torch step after the other. See `kernels.reverse_scan`, `kernels.reverse_total`."""
    plane = k.gradient.shape[-2:]
    adjoint = k.gradient.new_zeros(plane)
    out = torch.zeros_like(adjoint) if k.total else adjoint.new_empty((k.steps, *plane))
    for t in reversed(range(k.steps)):
        gradient = k.gradient[t] if k.gradient.ndim == 3 else k.gradient
        if k.psi is not None and k.v is not None:
            gradient = gradient * surrogate(k.psi, k.v[t], k.v_threshold)
        adjoint = gradient + _gate(k, t) * adjoint
        if k.total:
            out += adjoint
        else:
            out[t] = adjoint
    return out
