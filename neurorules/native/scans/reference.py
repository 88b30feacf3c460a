"""The scans in plain torch: the definition and the oracle of the C kernels, and their replacement on CUDA and without a
compiler.
"""

from __future__ import annotations

import torch

from .contract import Affine, Psi, PsiShape, Reset, Reverse, ReverseInputs, Scan, ScanInputs


def _arrive(current: torch.Tensor, affine: Affine) -> torch.Tensor:
    if affine.shift is not None:
        current = current - affine.shift
    if affine.mean is not None and affine.gain is not None:
        current = (current - affine.mean) * affine.gain
    return current if affine.bias is None else current + affine.bias


def _step(k: ScanInputs, u: torch.Tensor, current: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """One step in snnTorch's order of operations: membrane before the reset, spikes, and membrane after it."""
    late = (u > k.v_threshold).to(u.dtype)
    if k.reset is Reset.ZERO:
        u = (1 - late) * u
    v = k.beta * u + current
    if k.reset is Reset.SUBTRACT:
        v = v - late * k.v_threshold
    spikes = (v > k.v_threshold).to(v.dtype)
    if k.reset_delay or k.reset is Reset.NONE:
        return v, spikes, v
    return v, spikes, v - (spikes - late) * (k.v_threshold if k.reset is Reset.SUBTRACT else v)


def _summed(k: ScanInputs, v: torch.Tensor) -> torch.Tensor:
    if k.psi is None:  # it belongs to the total GRADED alone
        return v.clamp(min=0)
    z = k.psi.slope * (v - k.v_threshold)
    if k.psi.shape is PsiShape.FAST_SIGMOID:
        return z / (1 + z.abs())
    y = z.clamp(-1, 1)
    return y if k.psi.shape is PsiShape.BOXCAR else y - y * y.abs() / 2


def scan(k: ScanInputs) -> Scan:
    """Run a layer through time, one torch step after the other. See `dispatch.scan`."""
    plane = k.current.shape[-2:]
    every = (k.steps, *plane)
    spikes = None if k.spike_dtype is None else k.current.new_empty(every, dtype=k.spike_dtype)
    v = k.current.new_empty(every) if k.keep_v else None
    spike_total = k.current.new_zeros(plane) if k.spike_total else None
    total = k.current.new_zeros(plane) if k.total is not None else None
    sums = (k.current.new_zeros(plane), k.current.new_zeros(plane)) if k.moments else None
    u = k.current.new_zeros(plane) if k.u0 is None else k.u0
    drive = _arrive(k.current, k.affine)
    for t in range(k.steps):
        here, fired, u = _step(k, u, drive[t] if drive.ndim == 3 else drive)
        if spikes is not None:
            spikes[t] = fired
        if v is not None:
            v[t] = here
        if spike_total is not None:
            spike_total += fired
        if total is not None:
            total += _summed(k, here)
        if sums is not None:
            current = _arrive(k.current[t] if k.current.ndim == 3 else k.current, Affine(k.affine.shift))
            sums[0].add_(current)
            sums[1].add_(current * current)
    if total is not None and k.psi is not None:
        total *= k.psi.scale / k.psi.slope
    return Scan(spikes, v, u, spike_total, total, *(sums or (None, None)))


def surrogate(psi: Psi, v: torch.Tensor, v_threshold: torch.Tensor) -> torch.Tensor:
    """The surrogate derivative of membranes.

    Args:
        psi: its shape, slope and scale.
        v: membranes before the reset, of any shape.
        v_threshold: () or (N,).

    Returns:
        psi(v), of the shape of `v`.
    """
    z = psi.slope * (v - v_threshold)
    size = z.abs()
    if psi.shape is PsiShape.BOXCAR:
        height = (size <= 1).to(v.dtype)
    elif psi.shape is PsiShape.TRIANGLE:
        height = (1 - size).clamp(min=0)
    elif psi.shape is PsiShape.FAST_SIGMOID:
        height = 1 / ((1 + size) * (1 + size))
    elif psi.shape is PsiShape.POSITIVE:
        height = (v > 0).to(v.dtype)
    else:
        height = 1 / (1 + z * z)
    return psi.scale * height


def _weighed(k: ReverseInputs, t: int) -> torch.Tensor:
    gradient = k.gradient[t] if k.gradient.ndim == 3 else k.gradient
    if k.psi is None or k.psi.shape is PsiShape.FLAT:
        return gradient if k.psi is None else gradient * k.psi.scale
    assert k.v is not None
    return gradient * surrogate(k.psi, k.v[t], k.v_threshold)


def _gate(k: ReverseInputs, t: int) -> torch.Tensor:
    """d v[t+1] / d v[t] with resets taken as constants, the same with and without a delayed reset.

    For ZERO this holds for membranes that start at or below the threshold, as all do that start from rest.
    """
    if k.reset is Reset.ZERO and k.spikes is not None:
        return torch.where(k.spikes[t] != 0, torch.zeros_like(k.beta), k.beta)
    if k.reset is Reset.ZERO and k.v is not None:
        return torch.where(k.v[t] > k.v_threshold, torch.zeros_like(k.beta), k.beta)
    return k.beta


def reverse(k: ReverseInputs) -> Reverse:
    """The adjoint of the current, one torch step after the other. See `dispatch.reverse`."""
    plane, through = k.gradient.shape[-2:], k.through
    adjoint = k.gradient.new_zeros(plane)
    every = adjoint.new_empty((k.steps, *plane)) if k.keep_every else None
    every_total = torch.zeros_like(adjoint) if k.totals else None
    total = torch.zeros_like(adjoint) if k.totals else None
    product = torch.zeros_like(adjoint) if k.totals and through is not None else None
    later = None if k.onwards is None else _Later(k)
    for t in reversed(range(k.steps)):
        adjoint = _weighed(k, t) + _gate(k, t) * adjoint
        out = adjoint
        if through is not None and through.affine.gain is not None:
            current = through.current[t] if through.current.ndim == 3 else through.current
            normalised = _arrive(current, through.affine)
            out = (adjoint - through.mean_d - normalised * through.mean_product) * through.affine.gain
            if product is not None:
                product += adjoint * normalised
        out = k.outer * out
        if every is not None:
            every[t] = out
        if every_total is not None:
            every_total += out
        if total is not None:
            total += adjoint
        if later is not None:
            later.step(t, out)
    return Reverse(every, every_total, total, product, *((None, None) if later is None else (later.every, later.total)))


class _Later:
    """The second low-pass of a reverse scan, one step after the other. See `Onwards`."""

    def __init__(self, k: ReverseInputs) -> None:
        assert k.onwards is not None
        self.k, self.onwards = k, k.onwards
        self.now = k.gradient.new_zeros(k.gradient.shape[-2:])
        self.total = torch.zeros_like(self.now)
        self.every = self.now.new_empty((k.steps, *self.now.shape)) if k.onwards.every else None

    def step(self, t: int, out: torch.Tensor) -> None:
        decay: float | torch.Tensor = self.onwards.beta
        if self.onwards.slope is not None and self.k.v is not None:
            own = surrogate(self.onwards.slope, self.k.v[t], self.k.v_threshold)
            out = out * own if self.onwards.weighed else out
            decay = decay * (1 - own) if self.onwards.cut else decay
        self.now = out + decay * self.now
        self.total += self.now
        if self.every is not None:
            self.every[t] = self.now
