"""Traces and eligibilities of a layer: what its texts read of the past, forwards or backwards in time."""

from __future__ import annotations

import torch
from torch import Tensor

from neurorules.language.errors import UserError
from neurorules.series import Series
from neurorules.torch_path import kernels
from neurorules.torch_path.layer import Input
from neurorules.torch_path.local_view import LocalView
from neurorules.torch_path.simulate import RESETS


def trace(view: LocalView, key: str, spikes: Series, decay: float | Tensor) -> Tensor:
    """x[t] = decay x[t-1] + S[t], as the scan of a leaky integrator that never fires; (T, B, *shape)."""
    if key in view.traced:
        return view.traced[key]
    values = spikes.values
    lead = values.shape[:1] if spikes.constant else values.shape[:2]
    flat = values.reshape(*lead, -1)
    start = view.carry.traces.get(key)
    found = kernels.scan(flat, view.activity.steps, decay, float("inf"), kernels.Reset.NONE, u0=start, spikes=False)
    view.carry.traces[key] = found.u
    assert found.v is not None
    view.traced[key] = found.v.reshape(view.activity.steps, *values.shape[0 if spikes.constant else 1 :])
    return view.traced[key]


def reverse_scan(view: LocalView, post: Tensor) -> Tensor:
    """R[t] = post[t] + gate[t+1] R[t+1]: the adjoint of the membrane's own recursion, resets held fixed."""
    dynamics = view.layer.neuron.dynamics()
    if dynamics is not None and not isinstance(dynamics.beta, Tensor) and dynamics.beta == 0:
        return post  # a membrane without memory
    if dynamics is None:
        if view.layer.neuron.steps == 1:
            return post
        raise UserError(f"neuron of layer '{view.layer.name}' has no exact eligibility dv_dw. Use S_pre or a trace")
    steps, v = view.activity.steps, view.activity.v.values
    flat = post.reshape(*post.shape[: post.ndim - len(view.layer.shape)], -1)
    beta = dynamics.beta.reshape(-1) if isinstance(dynamics.beta, Tensor) else dynamics.beta
    reset = RESETS[dynamics.reset]
    spikes = view.activity.S.values.reshape(steps, v.shape[1], -1) if reset == kernels.Reset.ZERO else None
    return kernels.reverse_scan(flat, steps, beta, reset, spikes=spikes).reshape(v.shape)


def forward_eligibility(view: LocalView, entry: Input, spikes: Series) -> Tensor | None:
    """Exact eligibility step by step where it is a trace of the presynaptic neuron alone; None where it is not.

    Raises:
        UserError: a layer whose normalisation needs all steps at once.
    """
    """`dv_dw` of a window, (T, B, *pre), where leak and reset let it factor into a trace; None where they do not.

    Raises:
        UserError: the layer is normalised, so that the eligibility needs all steps at once.
    """
    dynamics = view.layer.neuron.dynamics()
    if view.activity.gain is not None:
        raise UserError(
            f"layer '{view.layer.name}' is normalised, and dv_dw runs backwards through its normalisation: it needs "
            f"all steps at once. Use --schedule by_layer, or --norm none"
        )
    if dynamics is None or (dynamics.reset != "zero" and not isinstance(dynamics.beta, Tensor)):
        return spikes.values if dynamics is None else trace(view, f"dv_dw.{entry.name}", spikes, dynamics.beta)
    return None


def trace_a_synapse(view: LocalView, entry: Input, post: Tensor) -> Tensor:
    """Exact eligibility step by step where it does not factor: e[t] = gate[t] e[t-1] + S_pre[t], B x O x I numbers."""
    dynamics = view.layer.neuron.dynamics()
    if dynamics is None or len(view.layer.shape) > 1:
        raise UserError(f"layer '{view.layer.name}': dv_dw step by step needs a dense layer. Use --schedule by_layer")
    steps, spikes = view.activity.steps, view.activity.S.values
    pre = view.activity.pre[entry.name].over_time(steps)
    factor = post if post.ndim == spikes.ndim else post.expand(steps, *post.shape)
    key = f"dv_dw.{entry.name}"
    e = view.carry.traces.get(key, spikes.new_zeros(*spikes.shape[1:], pre.shape[-1]))
    late = view.carry.traces.get(f"{key}.spikes", torch.zeros_like(spikes[0]))
    change = e.new_zeros(e.shape[1:])
    for t in range(steps):
        gate = dynamics.beta * (1 - late if dynamics.reset == "zero" else torch.ones_like(late))
        e = gate[:, :, None] * e + pre[t][:, None, :]
        change = change + torch.einsum("bo,boi->oi", factor[t], e)
        late = spikes[t]
    view.carry.traces[key], view.carry.traces[f"{key}.spikes"] = e, late
    return change


def bias_eligibility(view: LocalView, parameter: str) -> Tensor:
    """Exact eligibility of a constant current, forwards: e[t] = gate[t] e[t-1] + 1; (T, B, *shape)."""
    dynamics, spikes = view.layer.neuron.dynamics(), view.activity.S.values
    if dynamics is None:
        return torch.ones_like(spikes)
    key = f"dv_dw.{parameter}"
    e = view.carry.traces.get(key, torch.zeros_like(spikes[0]))
    late = view.carry.traces.get(f"{key}.spikes", torch.zeros_like(spikes[0]))
    steps = []
    for t in range(view.activity.steps):
        e = dynamics.beta * (e * (1 - late) if dynamics.reset == "zero" else e) + 1
        late = spikes[t]
        steps.append(e)
    view.carry.traces[key], view.carry.traces[f"{key}.spikes"] = e, late
    return torch.stack(steps)
