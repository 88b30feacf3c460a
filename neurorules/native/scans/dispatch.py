"""The scans' public functions, which check the inputs and choose the C kernel, the Triton kernel or plain torch."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from functools import partial
from typing import ParamSpec

import torch

from neurorules.native.compile import DTYPES

from . import native, reference
from .build import library
from .contract import (
    HAVE_PRIMITIVE,
    Affine,
    Onwards,
    Psi,
    PsiShape,
    Reset,
    Reverse,
    ReverseInputs,
    Scan,
    ScanInputs,
    Through,
    Total,
)
from .on_gpu import Kernels, gpu_kernels


def compiled() -> bool:
    """Whether scans on the CPU run in the compiled kernels, which are compiled at the first use."""
    return library() is not None


def serves(tensor: torch.Tensor) -> bool:
    """Whether the compiled kernels can scan a tensor of this type and device."""
    return _kernels(tensor) is not None


P = ParamSpec("P")


@torch.no_grad()
def scan_inputs(
    current: torch.Tensor,
    steps: int,
    beta: float | torch.Tensor,
    v_threshold: float | torch.Tensor,
    reset: Reset,
    reset_delay: bool = False,
    u0: torch.Tensor | None = None,
    *,
    affine: Affine = Affine(),  # noqa: B008  a tuple
    spikes: bool = True,
    v: bool = True,
    spike_total: bool = False,
    total: Total | None = None,
    psi: Psi | None = None,
    moments: bool = False,
    spike_dtype: torch.dtype | None = None,
) -> ScanInputs:
    """Check the inputs of `scan`, which runs a layer of integrate-and-fire neurons through time.

    The equations are in the package's docstring.

    Args:
        current: (T, B, N), or (B, N) for the same current at each step.
        steps: T, >= 1.
        beta, v_threshold: one number, or (N,). No unit is assumed: v, current and v_threshold share theirs.
        reset, reset_delay: the effect of a spike on the membrane, and whether it comes one step later.
        u0: the initial membrane, (B, N); zeros if None.
        affine: the map that is applied to the current before it reaches the membrane.
        spikes, v, spike_total, total, moments: which outputs to compute; moments are the sums of the current and of its
            square.
        psi: the surrogate derivative of the total `GRADED`.
        spike_dtype: the spike dtype of the stored spikes: bool, uint8, bfloat16, or the current's dtype if None.

    Returns:
        The inputs, for `run`. `scan` takes the same arguments, runs the scan and returns its outputs; autograd does not
        follow them, whatever the inputs are.

    Raises:
        ValueError, TypeError: a shape or dtype does not fit.
    """
    _check_steps(current, steps, "current")
    plane, dtype = current.shape[-2:], current.dtype
    if spike_dtype not in (None, dtype, torch.bool, torch.uint8, torch.bfloat16):
        raise TypeError(f"spikes are stored as bool, uint8, bfloat16 or the current's {dtype}, not {spike_dtype}")
    if total is Total.GRADED and (psi is None or psi.shape not in HAVE_PRIMITIVE):
        raise ValueError("a graded total needs psi, of a shape with a primitive: boxcar, triangle or fast sigmoid")
    return ScanInputs(
        current.contiguous(), steps, _parameter("beta", beta, current), _parameter("v_threshold", v_threshold, current),
        Reset(reset), bool(reset_delay), None if u0 is None else _matching("u0", u0, current, plane),
        _checked_affine(affine, current),         (spike_dtype or dtype) if spikes else None, v, spike_total, total,
        psi if total is Total.GRADED else None, moments,
    )  # fmt: skip


@torch.no_grad()
def run(inputs: ScanInputs) -> Scan:
    """Run a scan whose inputs are checked."""
    kernels = _kernels(inputs.current)
    return reference.scan(inputs) if kernels is None else kernels.scan(inputs)


def _run_at_once(prepare: Callable[P, ScanInputs]) -> Callable[P, Scan]:
    @functools.wraps(prepare)
    def at_once(*arguments: P.args, **named: P.kwargs) -> Scan:
        return run(prepare(*arguments, **named))

    return at_once


scan = _run_at_once(scan_inputs)


def membranes(inputs: ScanInputs) -> torch.Tensor:
    """The membranes of a run before the reset, (T, B, N), computed again."""
    wanted = inputs._replace(spike_dtype=None, keep_v=True, spike_total=False, total=None, psi=None, moments=False)
    return run(wanted).membranes


def spikes(inputs: ScanInputs) -> torch.Tensor:
    """The spikes of a run, (T, B, N), computed again."""
    fired = run(inputs._replace(keep_v=False, spike_total=False, total=None, psi=None, moments=False)).spikes
    assert fired is not None
    return fired


def reruns(inputs: ScanInputs) -> bool:
    """Whether a compiled reverse scan computes the membranes of a run again, some neurons at a time, in the cache."""
    current = inputs.current
    many = 1 < inputs.steps <= native.MOST_STEPS and current.shape[-1] >= native.FEWEST_NEURONS
    return many and current.device.type == "cpu" and serves(current)


def reverse_scan(
    gradient: torch.Tensor,
    steps: int,
    beta: float | torch.Tensor,
    reset: Reset,
    *,
    spikes: torch.Tensor | None = None,
    v: torch.Tensor | None = None,
    v_threshold: float | torch.Tensor = 1.0,
    psi: Psi | None = None,
) -> torch.Tensor:
    """The gradient of the current at each step: `reverse` without a normalisation.

    Args:
        gradient, steps, beta, reset, spikes, v, v_threshold, psi: as in `reverse`.

    Returns:
        R, (T, B, N).

    Raises:
        ValueError, TypeError: a shape or dtype does not fit, or `v` or `spikes` is missing.
    """
    arguments = {"spikes": spikes, "v": v, "v_threshold": v_threshold, "psi": psi}
    return reverse(gradient, steps, beta, reset, **arguments, totals=False).at_each_step  # type: ignore[arg-type]


@torch.no_grad()
def reverse(
    gradient: torch.Tensor, steps: int, beta: float | torch.Tensor, reset: Reset, *,
    spikes: torch.Tensor | None = None, v: torch.Tensor | None = None, v_threshold: float | torch.Tensor = 1.0,
    psi: Psi | None = None, through: Through | None = None, outer: float = 1.0,
    every: bool = True, totals: bool = True, onwards: Onwards | None = None, rerun: ScanInputs | None = None,
) -> Reverse:  # fmt: skip
    """Carry a factor of the spikes backwards in time through the membrane to a factor of the current, with resets held
    fixed.

    R[t] = g[t] + gate[t+1] R[t+1]; gate[t+1] = beta, or beta (1 - s[t]) for `ZERO`; g[t] = gradient[t] psi(v[t]). With
    beta = 0 and no reset to zero, R = g, a post factor without memory.

    Args:
        gradient: (T, B, N), or (B, N) for the same at each step: of the spikes; without `psi`, of the membrane v.
        steps, beta, reset, v_threshold: as in `scan`.
        spikes: (T, B, N), any storage; only the `ZERO` reset reads them. If None, they are v > v_threshold.
        v: (T, B, N), the membrane before the reset; needed by `psi`.
        psi: surrogate derivative; None for a gradient of the membrane.
        through: the normalisation whose adjoint is applied to `every` step; None for none.
        outer: the factor of `every` step.
        every, totals: which outputs to compute.
        onwards: the low-pass through which `every` step is carried on; None for none. No kernel of a GPU has it.
        rerun: the run whose membranes are computed again if `v` is not given; None for none.

    Returns:
        The outputs; autograd does not follow them.

    Raises:
        ValueError, TypeError: a shape or dtype does not fit, or `v` or `spikes` is missing.
    """
    _check_steps(gradient, steps, "gradient")
    whole = (steps, *gradient.shape[-2:])
    if rerun is not None and not reruns(rerun):
        v = membranes(rerun) if v is None else v
    if v is not None:
        rerun = None
    if psi is not None:
        psi = Psi(PsiShape(psi.shape), float(psi.slope), float(psi.scale))
        if v is None and rerun is None and psi.shape is not PsiShape.FLAT:
            raise ValueError("psi reads the membrane: give v, (T, B, N)")
    _check_onwards(onwards, gradient, v is not None or rerun is not None)
    reset = Reset(reset)
    if reset is Reset.ZERO and spikes is None and v is None and rerun is None:
        raise ValueError("a reset to zero cuts the past off at each spike: give spikes or v, (T, B, N)")
    if reset is not Reset.ZERO:
        spikes = None
    if spikes is not None:
        if spikes.dtype not in (gradient.dtype, torch.bool, torch.uint8, torch.bfloat16):
            raise TypeError(f"spikes are bool, uint8, bfloat16 or the gradient's {gradient.dtype}, not {spikes.dtype}")
        spikes = _matching("spikes", spikes, gradient, whole, spikes.dtype)
    inputs = ReverseInputs(
        gradient.contiguous(), steps, _parameter("beta", beta, gradient),
        _parameter("v_threshold", v_threshold, gradient), reset, spikes,
        None if v is None else _matching("v", v, gradient, whole), psi, _checked(through, gradient, whole),
        float(outer), every, totals, onwards, rerun,
    )  # fmt: skip
    kernels = _kernels(gradient)
    return reference.reverse(inputs) if kernels is None else kernels.reverse(inputs)


def _check_onwards(onwards: Onwards | None, gradient: torch.Tensor, has_membranes: bool) -> None:
    """Refuse a low-pass that no kernel runs, or whose psi or membranes are not known."""
    if onwards is None:
        return
    if (onwards.weighed or onwards.cut) and (onwards.slope is None or not has_membranes):
        raise ValueError("the low-pass `onwards` reads psi of the membrane: give psi, and v, (T, B, N)")
    if gradient.device.type == "cuda":
        raise ValueError("no kernel of a GPU carries a reverse scan onwards: use tensors, filter by filter")


def _checked_affine(affine: Affine, like: torch.Tensor) -> Affine:
    if (affine.mean is None) != (affine.gain is None):
        raise ValueError("mean and gain of an affine current come together")
    parts = zip(Affine._fields, affine, strict=True)
    return Affine(*(None if part is None else _parameter(name, part, like) for name, part in parts))


def _checked(through: Through | None, gradient: torch.Tensor, whole: Sequence[int]) -> Through | None:
    if through is None:
        return None
    if through.affine.gain is None:
        raise ValueError("the adjoint of a normalisation needs its mean and gain")
    statistics = (
        _parameter(name, value, gradient).expand(gradient.shape[-1]).contiguous()
        for name, value in zip(Through._fields[2:], through[2:], strict=True)
    )
    current = _matching("current", through.current, gradient, whole[3 - through.current.ndim :])
    return Through(current, _checked_affine(through.affine, gradient), *statistics)


def _kernels(tensor: torch.Tensor) -> Kernels | None:
    """The kernels for a tensor's device and type; None if there is only plain torch."""
    if tensor.dtype not in DTYPES:
        return None
    if tensor.device.type == "cuda":
        return gpu_kernels()
    compiled = library() if tensor.device.type == "cpu" else None
    return None if compiled is None else Kernels(partial(native.scan, compiled), partial(native.reverse, compiled))


def _check_steps(tensor: torch.Tensor, steps: int, name: str) -> None:
    if not tensor.is_floating_point():
        raise TypeError(f"{name} must be floating point, not {tensor.dtype}")
    if steps < 1:
        raise ValueError(f"steps is {steps}; a scan has at least one")
    if tensor.ndim not in (2, 3) or (tensor.ndim == 3 and tensor.shape[0] != steps):
        shape = tuple(tensor.shape)
        raise ValueError(f"{name} must be ({steps}, B, N) or (B, N), not {shape}: flatten the features to N")


def _parameter(name: str, value: float | torch.Tensor, like: torch.Tensor) -> torch.Tensor:
    if not isinstance(value, torch.Tensor):
        return torch.full((), value, dtype=like.dtype, device=like.device)
    if value.numel() == 1:
        return value.detach().reshape(()).to(like)
    if value.shape != like.shape[-1:]:
        raise ValueError(f"{name} must be one number or ({like.shape[-1]},), not {tuple(value.shape)}")
    return value.detach().to(like).contiguous()


def _matching(
    name: str, tensor: torch.Tensor, like: torch.Tensor, shape: Sequence[int], dtype: torch.dtype | None = None
) -> torch.Tensor:
    if tuple(tensor.shape) != tuple(shape):
        raise ValueError(f"{name} must be {tuple(shape)}, not {tuple(tensor.shape)}")
    if tensor.dtype != (dtype or like.dtype) or tensor.device != like.device:
        raise TypeError(f"{name} must be {dtype or like.dtype} on {like.device}, not {tensor.dtype} on {tensor.device}")
    return tensor.contiguous()
