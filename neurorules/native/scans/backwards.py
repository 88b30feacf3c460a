"""Compiled reverse scans whose gates vary in time, and those through the recurrent synapses of a population.

R[t] = post[t] + keep[t+1] R[t+1], Q[t] = admit[t] R[t] + alpha Q[t+1], R = Q = 0 after the last step.
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
    """The gates by which small changes pass through the steps of a population.

    Args:
        keep: the gate from the membrane of the previous step, (T, B, N); may be expanded over time.
        admit: the gate from the current of the same step, of the same shape.
        alpha: decay of a synaptic current per step, a number or (N,).
        rise, decay: the rise of the threshold in the step after a spike, and the decay of that rise per step, each a
            number or (N,).
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
    """Contiguous values, and the distance to the values of the next step, which is 0 if all steps read the same
    values.
    """
    if values.stride(0) == 0:
        return values[0].contiguous(), 0
    return values.contiguous(), values[0].numel()


@torch.no_grad()
def adjoint(post: Tensor, passing: Passing, membrane: bool = True, current: bool = True) -> list[Tensor]:
    """Carry a post factor backwards through the steps of a population; see the module's docstring.

    Args:
        post: the factor of the membrane, (T, B, N), for which `loops` is true.
        passing: the gates.
        membrane, current: whether to return R, and Q.

    Returns:
        R and Q, (T, B, N) each, if requested.
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
    """Add the factor that comes back to spikes through the population's recurrent synapses and rising thresholds.

    total[t] = post[t] + W^T (gain Q[t+1]) + A[t+1], with Q computed from total psi, and A[t] = decay A[t+1] - rise
    total[t] psi[t].

    Args:
        post: the factor of the spikes, (T, B, N), for which `loops` is true.
        psi: derivative of a spike by its membrane, (T, B, N).
        passing: the gates.
        w: the weights by which the factor comes back, (N, N); None if the population is not recurrent.
        gain: the factor of the recurrent current, () or (N,); None for 1.

    Returns:
        The sum of both factors, (T, B, N).
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
