"""What goes into a scan and what comes out of it: the words shared by the C kernels and their torch reference."""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple

import torch


class Reset(IntEnum):
    """What a spike does to the membrane. The numbers are snnTorch's `reset_dict` and those of scans.c."""

    SUBTRACT = 0
    ZERO = 1
    NONE = 2


class PsiShape(IntEnum):
    """Shape h(z) of a surrogate derivative. The numbers are those of scans.c."""

    BOXCAR = 0  # 1 where |z| <= 1, else 0
    TRIANGLE = 1  # max(0, 1 - |z|)
    FAST_SIGMOID = 2  # 1 / (1 + |z|)^2
    ATAN = 3  # 1 / (1 + z^2)


class Psi(NamedTuple):
    """Surrogate derivative psi(v) = scale * h(slope * (v - v_threshold)).

    The usual parametrisations are: boxcar of half-width w: slope 1/w; triangle (Bellec 2018): slope 1/v_threshold,
    scale gamma; fast sigmoid (Zenke, Ganguli 2018) of slope k: slope k; atan (Fang 2021, as snnTorch computes it):
    slope pi/2 * alpha, scale alpha/2.
    """

    shape: PsiShape
    slope: float = 1.0
    scale: float = 1.0


class Scan(NamedTuple):
    """A layer's run through time. What was not asked for is None.

    spikes: (T, B, N), 0 or 1.  v: (T, B, N), the membrane before the reset.  u: (B, N), the membrane left behind.
    r: (B, N), the last step's spikes: the reset still to come where the reset is delayed.
    mean_v: (B, N), mean over time of max(v, 0).  mean_spikes: (B, N), mean over time of the spikes.
    """

    spikes: torch.Tensor | None
    v: torch.Tensor | None
    u: torch.Tensor
    r: torch.Tensor
    mean_v: torch.Tensor | None
    mean_spikes: torch.Tensor | None


class ScanInputs(NamedTuple):
    """Checked inputs of one scan: one dtype and device, contiguous, parameters of shape () or (N,)."""

    current: torch.Tensor
    steps: int
    beta: torch.Tensor
    v_threshold: torch.Tensor
    reset: Reset
    reset_delay: bool
    u0: torch.Tensor | None
    r0: torch.Tensor | None
    spike_dtype: torch.dtype | None  # None: the spikes are not kept
    keep_v: bool
    mean_v: bool
    mean_spikes: bool


class ReverseInputs(NamedTuple):
    """Checked inputs of one reverse scan; see ScanInputs."""

    gradient: torch.Tensor
    steps: int
    beta: torch.Tensor
    v_threshold: torch.Tensor
    reset: Reset
    spikes: torch.Tensor | None
    v: torch.Tensor | None
    psi: Psi | None
    total: bool  # the sum over time instead of every step
