"""Launches of the Triton kernels: these functions allocate the outputs and pass the tensors."""

from __future__ import annotations

import torch

from .contract import Affine, PsiShape, Reset, Reverse, ReverseInputs, Scan, ScanInputs
from .triton_scans import reverse_kernel, scan_kernel

BLOCK = 128
"""The number of neurons of a program. On an H200, 64 to 1024 of them differed by less time than a launch takes."""
OPTIONS = {"num_warps": 4, "enable_fp_fusion": False}
"""Options of the compiler: a fused multiply-add rounds once where plain torch rounds twice, and spikes would differ."""


def scan(k: ScanInputs) -> Scan:
    """Compute `reference.scan` in one kernel launch on a GPU."""
    plane = k.current.shape[-2:]
    every = (k.steps, *plane)
    new = k.current.new_empty
    spikes = None if k.spike_dtype is None else new(every, dtype=k.spike_dtype)
    out = Scan(
        spikes=spikes,
        v=new(every) if k.keep_v else None,
        u=new(plane),
        spike_total=new(plane) if k.spike_total else None,
        total=new(plane) if k.total is not None else None,
        current_sum=new(plane) if k.moments else None,
        square_sum=new(plane) if k.moments else None,
    )
    size, some = out.u.numel(), k.current
    if size == 0:
        return out
    scan_kernel[(-(-size // BLOCK),)](
        *(some if part is None else part for part in (k.current, k.beta, k.v_threshold, k.u0, *k.affine)),
        *(some if part is None else _bytes(part) for part in out),
        k.steps, size, plane[-1],
        CONSTANT=k.current.ndim == 2, BETA=_part(k.beta), THRESHOLD=_part(k.v_threshold), U0=k.u0 is not None,
        **_parts(k.affine), SPIKES=spikes is not None, V=k.keep_v, SPIKE_TOTAL=k.spike_total,
        TOTAL=0 if k.total is None else int(k.total), MOMENTS=k.moments, RESET=int(k.reset), DELAY=k.reset_delay,
        PSI=int(PsiShape.FLAT if k.psi is None else k.psi.shape), SLOPE=1.0 if k.psi is None else float(k.psi.slope),
        BLOCK=BLOCK, **OPTIONS,
    )  # fmt: skip
    if out.total is not None and k.psi is not None:
        out.total.mul_(k.psi.scale / k.psi.slope)
    return out


def reverse(k: ReverseInputs) -> Reverse:
    """Compute `reference.reverse` in one kernel launch on a GPU."""
    plane, through = k.gradient.shape[-2:], k.through
    new, some = k.gradient.new_empty, k.gradient
    product = k.totals and through is not None
    out = Reverse(
        every=new((k.steps, *plane)) if k.keep_every else None,
        every_total=new(plane) if k.totals else None,
        total=new(plane) if k.totals else None,
        product=new(plane) if product else None,
    )
    size = plane.numel()
    if size == 0:
        return out
    current, affine = (None, Affine()) if through is None else (through.current, through.affine)
    statistics = (None, None) if through is None else (through.mean_d, through.mean_product)
    spikes = None if k.spikes is None else _bytes(k.spikes)
    outputs = out.every, out.every_total, out.total, out.product
    arguments = (k.gradient, k.beta, k.v_threshold, spikes, k.v, current, *affine, *statistics, *outputs)
    reverse_kernel[(-(-size // BLOCK),)](
        *(some if part is None else part for part in arguments), k.steps, size, plane[-1],
        CONSTANT=k.gradient.ndim == 2, CURRENT_CONSTANT=current is not None and current.ndim == 2,
        BETA=_part(k.beta), THRESHOLD=_part(k.v_threshold), SPIKES=spikes is not None, THROUGH=through is not None,
        **_parts(affine), EVERY=k.keep_every, TOTALS=k.totals, PRODUCT=product, ZEROED=k.reset is Reset.ZERO,
        WEIGHED=k.psi is not None, PSI=int(PsiShape.FLAT if k.psi is None else k.psi.shape),
        SLOPE=1.0 if k.psi is None else k.psi.slope, SCALE=1.0 if k.psi is None else k.psi.scale, OUTER=k.outer,
        BLOCK=BLOCK, **OPTIONS,
    )  # fmt: skip
    return out


def _part(parameter: torch.Tensor | None) -> int:
    """The code for how a parameter is stored: 0 not at all, 1 one number for all neurons, 2 one per neuron."""
    return 0 if parameter is None else 1 + parameter.ndim


def _parts(affine: Affine) -> dict[str, int]:
    return {name.upper(): _part(part) for name, part in zip(Affine._fields, affine, strict=True)}


def _bytes(spikes: torch.Tensor) -> torch.Tensor:
    """View truth values as the bytes in which they are stored."""
    return spikes.view(torch.uint8) if spikes.dtype == torch.bool else spikes
