"""The compiled loop over time of Loihi's neuron; without a compiler the same steps run in torch."""

from __future__ import annotations

import ctypes
import functools
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from hardware_models.loihi.widths import UNITY
from neurorules.native import compile as compile_c

SOURCE = Path(__file__).with_name("cuba_lif.c")


class Numbers(NamedTuple):
    """The numbers of a population, as the loop takes them.

    Args:
        keep_u, keep_v: what a step leaves of current and membrane, in units of 1/4096.
        bias: what is added to the membrane in every step.
        level: the membrane above which a spike comes.
    """

    keep_u: int
    keep_v: int
    bias: int
    level: int


class _Task(ctypes.Structure):
    """Field for field `CubaTask` of cuba_lif.c."""

    _fields_ = [
        *((name, ctypes.c_void_p) for name in ("arriving", "u0", "v0", "spikes", "v", "u", "last_u", "last_v")),
        *((name, ctypes.c_int64) for name in ("steps", "size")),
        *((name, ctypes.c_double) for name in ("keep_u", "keep_v")),
        *((name, ctypes.c_int32) for name in ("bias", "level", "threads")),
    ]


@functools.cache
def library() -> ctypes.CDLL | None:
    """The compiled loop, or None after one warning where it cannot be had. Each process asks once."""
    return compile_c.load(compile_c.find_compiler(), (SOURCE,), compile_c.FLAGS, "Loihi's neurons run in plain torch")


def serves(arriving: Tensor) -> bool:
    """Whether the compiled loop runs over a tensor like this one.

    Args:
        arriving: what the synapses sum up to.
    """
    return arriving.device.type == "cpu" and library() is not None


def run(
    numbers: Numbers, arriving: Tensor, u0: Tensor, v0: Tensor, currents: bool
) -> tuple[Tensor, Tensor, Tensor | None, Tensor, Tensor]:
    """Run a population through time.

    Args:
        numbers: numbers of the population.
        arriving: whole numbers (T, B, *shape) on a CPU.
        u0: the current after the step before the first, int32, (B, *shape).
        v0: the membrane after its reset, int32, (B, *shape).
        currents: whether the current of every step is kept.

    Returns:
        Spikes (bool), membranes before the reset (int32), currents or None, (T, B, *shape) each; then current and
        membrane after the last step, (B, *shape).
    """
    compiled = compile_c.kernels_of(library())
    # What lies beyond 32 bits takes no part: the current wraps at 2^24, and a is shifted by 6 bits only.
    arriving = arriving.to(torch.int32).contiguous()
    u0, v0 = u0.contiguous(), v0.contiguous()
    spikes = torch.empty(arriving.shape, dtype=torch.bool)
    v = torch.empty_like(arriving)
    u = torch.empty_like(arriving) if currents else None
    last_u, last_v = torch.empty_like(u0), torch.empty_like(v0)
    tensors = (arriving, u0, v0, spikes, v, u, last_u, last_v)
    task = _Task(
        *(None if tensor is None else tensor.data_ptr() for tensor in tensors),
        *(len(arriving), u0.numel(), numbers.keep_u / UNITY, numbers.keep_v / UNITY),
        *(numbers.bias, numbers.level, torch.get_num_threads()),
    )
    compiled["cuba_lif"](ctypes.byref(task))
    return spikes, v, u, last_u, last_v
