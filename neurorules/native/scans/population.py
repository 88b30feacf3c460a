"""Compiled scans of populations, which may be recurrent, and have adaptation or synaptic currents.

A step equals that of the leaky, adaptive and synaptic integrators in `neurons/`. The recurrent current is the sum of
one row of weights for each neuron that fired in the previous step. Without a compiler these scans are not available,
and `torch_path` runs one step after the other.
"""

from __future__ import annotations

import ctypes
from ctypes import c_int32, c_int64, c_void_p
from enum import IntEnum
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import pad

from neurorules.native.compile import kernel_of
from neurorules.native.pages import fresh

from . import dispatch
from .build import library
from .contract import Affine, Reset
from .native import AffineFields, address, affine_fields

LARGEST = 1024
"""The largest recurrent population that the scans run. Source: measured with float32 on one thread of a Zen 4 core. Up
to this size scans are faster than dense products at any activity; with 2000 neurons dense products are faster if more
than one neuron in four fires, and in the reverse scan."""


class Kind(IntEnum):
    """The state of a neuron in addition to its membrane. The numbers are those of scans.c."""

    LEAKY = 0  # none
    ADAPTIVE = 1  # its threshold rises with each spike
    SYNAPTIC = 2  # a synaptic current


class Cells(NamedTuple):
    """The numbers of a population's neurons, each a single number or (N,).

    Args:
        kind: the state that they have in addition to the membrane.
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
        u: the membrane after the previous step.
        extra: adaptation or synaptic current.
        spikes: the spikes of the previous step, 0 or 1.
    """

    u: Tensor | None = None
    extra: Tensor | None = None
    spikes: Tensor | None = None


class Loop(NamedTuple):
    """The results of a population's run through time.

    Args:
        spikes: 0 or 1, (T, B, N).
        late: the spikes of the step before each step, (T, B, N), in the memory of `spikes`.
        v: the value that is compared with the threshold, (T, B, N).
        u, extra: the state after the last step, (B, N) each; `extra` has no meaning for leaky neurons.
        spike_total: sum over time of the spikes, (B, N).
        current_sum, square_sum: sums over time of the shifted current and of its square, (B, N); None unless requested.
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
    """Whether `loop` can run over a tensor of this type: on a CPU, with compiled kernels.

    Args:
        tensor: a current, or a factor to carry back.
        own: the number of neurons of a recurrent population; 0 for one that is not recurrent.

    Returns:
        Whether it can.
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
        current: (T, B, N), or (B, N) for the same current at each step; for which `loops` is true.
        steps: T, >= 1.
        cells: the neurons.
        w: the recurrent weights, whose effect comes one step later, (N, N); None for none.
        start: the state before the first step.
        affine: the map that is applied to the current before it reaches the membrane.
        gain: the factor of the recurrent current, () or (N,); None for 1.
        moments: whether to sum the current and its square.

    Returns:
        The activity of the population; autograd does not follow them.
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
    """Rearrange weights into panels of some columns, which fit into registers while rows are added.

    Args:
        w: (O, I).
        width: the number of columns of a panel.

    Returns:
        The panels, (panels, I, width), padded with zeros after the last column.
    """
    panels = -(-len(w) // width)
    return pad(w.T, (0, panels * width - len(w))).view(w.shape[1], panels, width).transpose(0, 1).contiguous()


def function(name: str, dtype: torch.dtype) -> ctypes._NamedFuncPointer:
    """The compiled function of a given name, for one data type.

    Args:
        name: the name without the data type.
        dtype: the data type of its values.

    Returns:
        The function, which may return a number of 64 bits.
    """
    return kernel_of(library(), name, dtype)
