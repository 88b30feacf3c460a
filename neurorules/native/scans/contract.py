"""The inputs and outputs of a scan, which the C kernels, the Triton kernels and their torch reference share."""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple

import torch


class Reset(IntEnum):
    """The action of a spike on the membrane. The numbers are snnTorch's `reset_dict` and those of scans.c."""

    SUBTRACT = 0
    ZERO = 1
    NONE = 2


RESETS = {"subtract": Reset.SUBTRACT, "zero": Reset.ZERO, "none": Reset.NONE}
"""The resets by the names that neurons use."""


class PsiShape(IntEnum):
    """Shape h(z) of a surrogate derivative, or another factor of the membrane. The numbers are those of scans.c."""

    FLAT = -1  # 1
    BOXCAR = 0  # 1 where |z| <= 1, else 0
    TRIANGLE = 1  # max(0, 1 - |z|)
    FAST_SIGMOID = 2  # 1 / (1 + |z|)^2
    ATAN = 3  # 1 / (1 + z^2)
    POSITIVE = 4  # 1 where v > 0, else 0


class Psi(NamedTuple):
    """Surrogate derivative psi(v) = scale * h(slope * (v - v_threshold)).

    The usual parametrisations are: boxcar of half-width w: slope 1/w; triangle (Bellec 2018): slope 1/v_threshold,
    scale gamma; fast sigmoid (Zenke, Ganguli 2018) of slope k: slope k; atan (Fang 2021, as snnTorch computes it):
    slope pi/2 * alpha, scale alpha/2.
    """

    shape: PsiShape
    slope: float = 1.0
    scale: float = 1.0


HAVE_PRIMITIVE = frozenset({PsiShape.BOXCAR, PsiShape.TRIANGLE, PsiShape.FAST_SIGMOID})
"""Shapes whose primitive a scan can sum. The arctangent is not among them: C compilers do not vectorise it."""


class Total(IntEnum):
    """The quantity that a scan sums over time, in addition to its other outputs. The numbers are those of scans.c."""

    POSITIVE_V = 1  # max(v, 0)
    GRADED = 2  # the primitive of psi, 0 at the threshold


class Affine(NamedTuple):
    """The map of a current before it reaches the membrane: (current - shift - mean) * gain + bias.

    Each is () or (N,), and None leaves a part out; mean and gain come together. The moments are those of current -
    shift.
    """

    shift: torch.Tensor | None = None
    mean: torch.Tensor | None = None
    gain: torch.Tensor | None = None
    bias: torch.Tensor | None = None


class Through(NamedTuple):
    """The adjoint of a normalisation: d -> (d - mean_d - I^ mean_product) * gain, with I^ the normalised current.

    Args:
        current: (T, B, N), or (B, N) for the same at each step.
        affine: the map that normalised it, without a bias.
        mean_d, mean_product: (N,).
    """

    current: torch.Tensor
    affine: Affine
    mean_d: torch.Tensor
    mean_product: torch.Tensor


def _requested(output: torch.Tensor | None, name: str) -> torch.Tensor:
    """An output of a scan, for readers that have requested it."""
    if output is None:
        raise LookupError(f"the scan was not asked for its output '{name}'")
    return output


class Scan(NamedTuple):
    """The results of a layer's run through time. Those that were not requested are None.

    Args:
        spikes: 0 or 1, (T, B, N).
        v: membrane before the reset, (T, B, N).
        u: the membrane after the last step, (B, N).
        spike_total: sum over time of the spikes, (B, N).
        total: sum over time of the quantity that `Total` names, (B, N).
        current_sum, square_sum: sums over time of the shifted current and of its square, (B, N).
    """

    spikes: torch.Tensor | None
    v: torch.Tensor | None
    u: torch.Tensor
    spike_total: torch.Tensor | None
    total: torch.Tensor | None
    current_sum: torch.Tensor | None
    square_sum: torch.Tensor | None

    @property
    def membranes(self) -> torch.Tensor:
        """`v`, for readers that have requested it."""
        return _requested(self.v, "v")


class Reverse(NamedTuple):
    """The results of a reverse scan over time. Those that were not requested are None.

    Args:
        every: outer * R[t], or outer * the normalisation's adjoint of R[t], (T, B, N).
        every_total: sum over time of `every`, (B, N).
        total: sum over time of R, (B, N).
        product: sum over time of R I^, (B, N).
        onwards: E of `Onwards`, (T, B, N).
        onwards_total: its sum over time, (B, N).
    """

    every: torch.Tensor | None
    every_total: torch.Tensor | None
    total: torch.Tensor | None
    product: torch.Tensor | None
    onwards: torch.Tensor | None = None
    onwards_total: torch.Tensor | None = None

    @property
    def at_each_step(self) -> torch.Tensor:
        """`every`, for readers that have requested it."""
        return _requested(self.every, "every")

    @property
    def over_time(self) -> torch.Tensor:
        """`total`, for readers that have requested it."""
        return _requested(self.total, "total")

    @property
    def product_over_time(self) -> torch.Tensor:
        """`product`, for readers that have requested it."""
        return _requested(self.product, "product")


class Onwards(NamedTuple):
    """A second low-pass, through which a reverse scan carries `every` step on: E[t] = w[t] every[t] + keep[t+1] E[t+1].

    Args:
        beta: decay per step, in [0, 1].
        psi: the surrogate derivative that `weighed` and `cut` read; None if neither does.
        weighed: whether w[t] = psi(v[t]); otherwise it is 1.
        cut: whether keep[t+1] = beta (1 - psi(v[t])), the derivative of a reset that depends on the spike; otherwise it
            is beta.
        every: whether E of each step is stored, and not only its sum.
    """

    beta: float
    psi: Psi | None = None
    weighed: bool = False
    cut: bool = False
    every: bool = True

    @property
    def slope(self) -> Psi | None:
        """psi if it is read and depends on the membrane; otherwise None."""
        read = self.psi is not None and (self.weighed or self.cut) and self.psi.shape is not PsiShape.FLAT
        return self.psi if read else None


class ScanInputs(NamedTuple):
    """Checked inputs of one scan: one dtype and device, contiguous, parameters of shape () or (N,)."""

    current: torch.Tensor
    steps: int
    beta: torch.Tensor
    v_threshold: torch.Tensor
    reset: Reset
    reset_delay: bool
    u0: torch.Tensor | None
    affine: Affine
    spike_dtype: torch.dtype | None  # None if the spikes are not stored
    keep_v: bool
    spike_total: bool
    total: Total | None
    psi: Psi | None  # of GRADED
    moments: bool

    def own(self) -> ScanInputs:
        """Inputs that stay as they are when parameters change in place: all numbers of neurons are copied."""
        parts = (None if part is None else part.clone() for part in self.affine)
        return self._replace(beta=self.beta.clone(), v_threshold=self.v_threshold.clone(), affine=Affine(*parts))


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
    through: Through | None
    outer: float
    keep_every: bool
    totals: bool
    onwards: Onwards | None = None
    rerun: ScanInputs | None = None  # the run whose membranes are computed again; None if v or nothing gives them
