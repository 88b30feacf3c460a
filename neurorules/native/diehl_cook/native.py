"""Calls into the compiled loop: input spikes are sorted by step, and addresses are passed."""

from __future__ import annotations

import ctypes
import functools
import math
from ctypes import c_double, c_int32, c_int64, c_void_p
from pathlib import Path

import torch
from torch import Tensor

from neurorules.native import compile as compile_c
from neurorules.native.diehl_cook.network import EXCITATORY, INHIBITORY, LAGS, Constants, Population, State

SOURCES = (Path(__file__).with_name("diehl_cook.c"),)
FLAGS = (*compile_c.FLAGS, "-ffp-contract=off")


class _Cells(ctypes.Structure):
    """Field for field `Cells` of diehl_cook.c."""

    _fields_ = [
        *((name, c_void_p) for name in ("v", "g_e", "g_i", "last")),
        *((name, c_double) for name in ("rest", "reset", "inhibition", "rate")),
        ("clamped", c_int64),
    ]


class _Task(ctypes.Structure):
    """Field for field `Task` of diehl_cook.c."""

    _fields_ = [
        ("excitatory", _Cells),
        ("inhibitory", _Cells),
        *((name, c_void_p) for name in ("w", "theta", "order", "begin", "last_arrival")),
        *((name, c_void_p) for name in ("times", "inputs", "spike_begin", "table", "post1", "spikes", "inhibits")),
        *((name, c_double) for name in ("keep_e", "keep_i", "keep_theta", "share", "excites", "inhibit", "base")),
        *((name, c_double) for name in ("inhibitory_threshold", "theta_plus", "nu_pre", "nu_post", "post2_rate")),
        *((name, c_int64) for name in ("steps", "first", "size", "n_inputs", "longest", "lags")),
        *((name, c_int32) for name in ("learns", "adapts")),
    ]


@functools.cache
def library() -> ctypes.CDLL | None:
    """The compiled loop, or None, after one warning, if it cannot be compiled. Each process tries once."""
    return compile_c.load(compile_c.find_compiler(), SOURCES, FLAGS, instead="the network runs in plain torch")


def present(
    state: State, constants: Constants, steps: int, times: Tensor, inputs: Tensor, learns: bool, adapts: bool
) -> Tensor:
    """Run the compiled form of `reference.present`.

    Args:
        state, constants, steps, times, inputs, learns, adapts: as in `reference.present`; all tensors are contiguous.

    Returns:
        Spikes of the excitatory neurons, (T, N) uint8.
    """
    c, (n_inputs, size) = constants, state.w.shape
    spikes, inhibits = torch.zeros(steps, size, dtype=torch.uint8), torch.zeros(size, dtype=torch.uint8)
    table, (order, begin) = c.table(c.tau_pre_ms), state.by_delay
    times, inputs = times.contiguous(), inputs.contiguous()
    of_input = (times, inputs, torch.searchsorted(times, torch.arange(steps + 1)))
    own = (table, torch.empty_like(state.v), spikes, inhibits)
    tensors = (state.w, state.theta, order, begin, state.last_arrival, *of_input, *own)
    task = _Task(
        _cells(EXCITATORY, c, state.v, state.g_e, state.g_i, state.last),
        _cells(INHIBITORY, c, state.inhibitory_v, state.inhibitory_g, None, state.inhibitory_last),
        *(tensor.data_ptr() for tensor in tensors),
        *(math.exp(-c.dt_ms / tau) for tau in (c.tau_e_ms, c.tau_i_ms, c.tau_theta_ms)),
        *(c.share_e, c.share_e * c.excites, c.share_i * c.inhibits, EXCITATORY.threshold_mV, INHIBITORY.threshold_mV),
        *(c.theta_plus_mV, c.nu_pre, c.nu_post, c.dt_ms / c.tau_post2_ms),
        *(steps, int(state.step), size, n_inputs, begin.shape[1] - 2, LAGS, learns, adapts),
    )
    compile_c.kernels_of(library())["present"](ctypes.byref(task))
    state.step.add_(steps)
    return spikes


def _cells(population: Population, c: Constants, v: Tensor, g_e: Tensor, g_i: Tensor | None, last: Tensor) -> _Cells:
    return _Cells(
        v.data_ptr(), g_e.data_ptr(), None if g_i is None else g_i.data_ptr(), last.data_ptr(), population.rest_mV,
        population.reset_mV, population.inhibition_mV, c.dt_ms / population.tau_ms, c.steps(population.clamped_ms),
    )  # fmt: skip
