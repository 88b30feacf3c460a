"""Scans of populations that may read their own spikes, with membranes, adaptation or synaptic currents, compiled.

A step is that of `neurons/`: leaky, adaptive or synaptic integrators. What a population sends itself is the sum of the
weights of its few neurons that fired in the step before, one row of weights for each of them. Without a compiler
nothing here runs, and `torch_path` takes one step after the other.
"""

from __future__ import annotations

import ctypes
from ctypes import c_int32, c_int64, c_void_p
from enum import IntEnum
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import pad

from neurorules.native.pages import fresh

from . import dispatch
from .build import library
from .contract import Affine, Reset
from .native import DTYPES, AffineFields, address, affine_fields

LARGEST = 1024
"""Neurons of the largest population whose own spikes the scans bring back. Source: measured with float32 on one thread
of a Zen 4 core. Up to it scans take less time than dense products, whatever fires; of 2000 neurons dense products take
less where more than one in four fires, and on the way back."""


class Kind(IntEnum):
    """The state of a neuron beside its membrane. The numbers are those of scans.c."""

    LEAKY = 0  # none
    ADAPTIVE = 1  # a threshold that rises with each spike
    SYNAPTIC = 2  # a synaptic current


class Cells(NamedTuple):
    """The neurons of a population in numbers, each one number or (N,).

    Args:
        kind: what they have beside a membrane.
        beta, v_threshold: decay of the membrane per step, and its threshold.
        reset, reset_delay: as in `scan`.
        slow: decay of the adaptation (rho) or of the synaptic current (alpha) per step.
        jump: rise of the threshold per spike (kappa).
    """

    kind: Kind
    beta: float | Tensor
    v_threshold: float | Tensor
    reset: Reset
    reset_delay: bool
    slow: float | Tensor = 0.0
    jump: float | Tensor = 0.0


class Start(NamedTuple):
    """The state of a population before the first step, (B, N) each; None for rest.

    Args:
        u: membrane left behind.
        extra: adaptation or synaptic current.
        spikes: of the step before, 0 or 1.
    """

    u: Tensor | None = None
    extra: Tensor | None = None
    spikes: Tensor | None = None


class Loop(NamedTuple):
    """A population's run through time.

    Args:
        spikes: 0 or 1, (T, B, N).
        late: of the step before each, (T, B, N); shares its memory with `spikes`.
        v: what the threshold sees, (T, B, N).
        u, extra: the state after the last step, (B, N) each; `extra` of leaky neurons means nothing.
        spike_total: sum over time of the spikes, (B, N).
        current_sum, square_sum: sums over time of the shifted current and of its square, (B, N); None unless asked for.
    """

    spikes: Tensor
    late: Tensor
    v: Tensor
    u: Tensor
    extra: Tensor
    spike_total: Tensor
    current_sum: Tensor | None
    square_sum: Tensor | None


class _LoopTask(ctypes.Structure):
    """Field for field `LoopTask` of scans.c."""

    _fields_ = [
        *((name, c_void_p) for name in ("current", "weights", "beta", "threshold", "slow", "jump", "gain")),
        *((name, c_void_p) for name in ("spikes", "v", "u", "extra", "spike_total", "current_sum", "square_sum")),
        *((name, c_void_p) for name in ("panels", "lists", "counts")),
        *((name, c_int64) for name in ("current_stride", "steps", "rows", "neurons")),
        *((name, c_int64) for name in ("beta_size", "threshold_size", "slow_size", "jump_size", "gain_size")),
        ("affine", AffineFields),
        *((name, c_int32) for name in ("kind", "reset", "delay", "threads")),
    ]


def loops(tensor: Tensor, own: int = 0) -> bool:
    """Whether `loop` runs over a tensor like this one: where the kernels are compiled, on a CPU.

    Args:
        tensor: a current, or what is carried back.
        own: neurons of a population that reads itself; 0 for one that does not.

    Returns:
        Whether it does.
    """
    return own <= LARGEST and tensor.device.type == "cpu" and dispatch.serves(tensor)


@torch.no_grad()
def loop(
    current: Tensor,
    steps: int,
    cells: Cells,
    w: Tensor | None,
    start: Start,
    affine: Affine,
    gain: Tensor | None = None,
    moments: bool = False,
) -> Loop:
    """Run a population through time in one pass over memory.

    Args:
        current: (T, B, N), or (B, N) for the same current at each step; served by `loops`.
        steps: T, >= 1.
        cells: the neurons.
        w: weights of what the population sends itself, one step late, (N, N); None for none.
        start: the state before the first step.
        affine: what happens to the current before it reaches the membrane.
        gain: what multiplies the current that the population sends itself, () or (N,); None for 1.
        moments: whether to sum the current and its square.

    Returns:
        All that the population did; constants of autograd.
    """
    rows, neurons = current.shape[-2:]
    current, like = current.contiguous(), current.new_zeros
    spikes = fresh(steps + 1, rows, neurons, like=current)
    spikes[0] = 0 if start.spikes is None else start.spikes
    before = (part if part is None else part.clone(memory_format=torch.contiguous_format) for part in start[:2])
    u, extra = (like(rows, neurons) if part is None else part for part in before)
    sums = (like(rows, neurons), like(rows, neurons)) if moments else (None, None)
    v = fresh(steps, rows, neurons, like=current)
    out = Loop(spikes[1:], spikes[:-1], v, u, extra, like(rows, neurons), *sums)
    own = cells.beta, cells.v_threshold, cells.slow, cells.jump, 1.0 if gain is None else gain
    numbers = [torch.as_tensor(value, dtype=current.dtype).contiguous() for value in own]
    affine = Affine(*(None if part is None else part.contiguous() for part in affine))
    width, panel_bytes = (function(name, current.dtype)() for name in ("loop_width", "loop_panel_bytes"))
    panels = None if w is None else in_panels(w, width)
    room = (
        torch.empty(-(-neurons // width) * panel_bytes, dtype=torch.uint8),
        torch.empty(2 * rows * (neurons + 1), dtype=torch.int32),
        torch.empty(2 * rows, dtype=torch.int64),
    )
    task = _LoopTask(
        *(address(tensor) for tensor in (current, panels, *numbers, spikes, out.v, *out[3:], *room)),
        *(rows * neurons if current.ndim == 3 else 0, steps, rows, neurons, *(n.numel() for n in numbers)),
        affine_fields(affine), *(cells.kind, cells.reset, cells.reset_delay, torch.get_num_threads()),
    )  # fmt: skip
    function("loop", current.dtype)(ctypes.byref(task))
    return out


def in_panels(w: Tensor, width: int) -> Tensor:
    """The rows that neurons add to a sum when they fire, in panels of some columns that fit into registers.

    Args:
        w: (O, I).
        width: columns of a panel.

    Returns:
        (panels, I, width), with zeros behind the last column.
    """
    panels = -(-len(w) // width)
    return pad(w.T, (0, panels * width - len(w))).view(w.shape[1], panels, width).transpose(0, 1).contiguous()


def function(name: str, dtype: torch.dtype) -> ctypes._NamedFuncPointer:
    """The compiled function of a name, for one type of numbers.

    Args:
        name: without the type.
        dtype: of the values that it works on.

    Returns:
        A function that may give a number of 64 bits.
    """
    compiled = library()
    assert compiled is not None
    function = compiled[f"{name}_{DTYPES[dtype]}"]
    function.restype = c_int64
    return function
