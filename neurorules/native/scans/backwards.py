"""Reverse scans whose gates vary in time, and the way back through what a population sends itself, compiled.

R[t] = post[t] + keep[t+1] R[t+1],  Q[t] = admit[t] R[t] + alpha Q[t+1],  R = Q = 0 behind the last step.
"""

from __future__ import annotations

import ctypes
from ctypes import c_int32, c_int64, c_void_p
from typing import NamedTuple

import torch
from torch import Tensor

from neurorules.native.pages import fresh

from .native import address
from .population import function, in_panels


class Passing(NamedTuple):
    """The ways by which small changes pass through the steps of a population.

    Args:
        keep: from the membrane of the step before, (T, B, N); may be expanded over time.
        admit: from the current of the same step, likewise.
        alpha: decay of a synaptic current per step, a number or (N,).
        rise, decay: of the threshold by a spike in the next step, and of that rise per step, likewise.
    """

    keep: Tensor
    admit: Tensor
    alpha: float | Tensor = 0.0
    rise: float | Tensor = 0.0
    decay: float | Tensor = 0.0


class _AdjointTask(ctypes.Structure):
    """Field for field `AdjointTask` of scans.c."""

    _fields_ = [
        *((name, c_void_p) for name in ("post", "keep", "admit", "alpha", "gain", "rise", "decay", "psi", "weights")),
        *((name, c_void_p) for name in ("membrane", "current", "total", "state")),
        *((name, c_int64) for name in ("post_stride", "keep_stride", "admit_stride", "steps", "rows", "neurons")),
        *((name, c_int64) for name in ("alpha_size", "gain_size", "rise_size", "decay_size")),
        ("threads", c_int32),
    ]


def _over_time(values: Tensor) -> tuple[Tensor, int]:
    """Contiguous values, and how far their next step is: 0 where each step reads the same plane."""
    if values.stride(0) == 0:
        return values[0].contiguous(), 0
    return values.contiguous(), values[0].numel()


@torch.no_grad()
def adjoint(post: Tensor, passing: Passing, membrane: bool = True, current: bool = True) -> list[Tensor]:
    """Carry a post factor backwards through the steps of a population; see the module's docstring.

    Args:
        post: factor of the membrane, (T, B, N), served by `loops`.
        passing: how changes pass.
        membrane, current: which of R and Q to keep.

    Returns:
        R and Q, (T, B, N) each, those that were asked for.
    """
    steps, rows, neurons = post.shape
    outs = [fresh(*post.shape, like=post) if wanted else None for wanted in (membrane, current)]
    post, post_stride = _over_time(post)
    keep, keep_stride = _over_time(passing.keep)
    admit, admit_stride = _over_time(passing.admit)
    alpha = torch.as_tensor(passing.alpha, dtype=post.dtype).contiguous()
    task = _AdjointTask(
        *(address(tensor) for tensor in (post, keep, admit if current else None, alpha)), *[None] * 5,
        *(address(out) for out in outs), None, None,
        *(post_stride, keep_stride, admit_stride, steps, rows, neurons, alpha.numel(), 0, 0, 0),
        torch.get_num_threads(),
    )  # fmt: skip
    function("adjoint", post.dtype)(ctypes.byref(task))
    return [out for out in outs if out is not None]


@torch.no_grad()
def loop_back(post: Tensor, psi: Tensor, passing: Passing, w: Tensor | None, gain: Tensor | None) -> Tensor:
    """Add to a factor on spikes what comes back to them through the population's own synapses and rising thresholds.

    total[t] = post[t] + W^T (gain Q[t+1]) + A[t+1], with Q made of total psi, and A[t] = decay A[t+1] - rise total[t]
    psi[t].

    Args:
        post: factor on the spikes, (T, B, N), served by `loops`.
        psi: derivative of a spike by its membrane, (T, B, N).
        passing: how changes pass.
        w: weights by which the factor comes back, (N, N); None where the population sends itself nothing.
        gain: what multiplies the population's own current, () or (N,); None for 1.

    Returns:
        The factor with what comes back, (T, B, N).
    """
    steps, rows, neurons = post.shape
    total = fresh(*post.shape, like=post)
    post, post_stride = _over_time(post)
    keep, keep_stride = _over_time(passing.keep)
    admit, admit_stride = _over_time(passing.admit)
    own = (passing.alpha, 1.0 if gain is None else gain, passing.rise, passing.decay)
    numbers = [torch.as_tensor(number, dtype=post.dtype).contiguous() for number in own]
    panels = None if w is None else in_panels(w.T, function("loop_width", post.dtype)())
    psi, state = psi.contiguous(), post.new_empty(8 * rows * neurons)
    task = _AdjointTask(
        *(address(tensor) for tensor in (post, keep, admit, *numbers, psi, panels, None, None, total, state)),
        *(post_stride, keep_stride, admit_stride, steps, rows, neurons, *(n.numel() for n in numbers)),
        torch.get_num_threads(),
    )  # fmt: skip
    function("loop_back", post.dtype)(ctypes.byref(task))
    return total
