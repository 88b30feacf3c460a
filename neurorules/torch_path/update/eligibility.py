"""Traces and eligibilities of a layer: what its texts read of the past, forwards or backwards in time."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from neurorules.contracts.series import Series
from neurorules.language.errors import UserError
from neurorules.native import scans
from neurorules.network.layer import Input, Layer
from neurorules.torch_path.forward.run_layer import RESETS, Activity
from neurorules.torch_path.update.local_view import LocalView


def trace(view: LocalView, key: str, spikes: Series, decay: float | Tensor) -> Tensor:
    """x[t] = decay x[t-1] + S[t], as the scan of a leaky integrator that never fires; (T, B, *shape)."""
    if key in view.traced:
        return view.traced[key]
    values = spikes.values
    lead = values.shape[:1] if spikes.constant else values.shape[:2]
    flat = values.reshape(*lead, -1)
    start = view.carry.traces.get(key)
    found = scans.scan(flat, view.activity.steps, decay, float("inf"), scans.Reset.NONE, u0=start, spikes=False)
    view.carry.traces[key] = found.u
    assert found.v is not None
    view.traced[key] = found.v.reshape(view.activity.steps, *values.shape[0 if spikes.constant else 1 :])
    return view.traced[key]


def delayed(view: LocalView, key: str, series: Series, ago: int) -> Tensor:
    """What a series was `ago` steps before, 0 before the first; (T, B, *shape).

    Between windows `ago` x B x *shape numbers wait among the view's traces; with a window of all steps, none.
    """
    if key in view.traced:
        return view.traced[key]
    steps = view.activity.steps
    values = series.over_time(steps)
    kept = view.carry.traces.get(key)
    if kept is None:
        kept = values.new_zeros(min(ago, steps) if view.whole else ago, *values.shape[1:])
    if not view.whole:
        view.carry.traces[key] = torch.cat([kept, values])[-ago:].clone()
    view.traced[key] = torch.cat([kept[:steps], values[: max(steps - ago, 0)]])
    return view.traced[key]


class MembraneAdjoint(NamedTuple):
    """Derivatives of a later sum by a step's membrane and by the current that drives it, (B, *shape) each."""

    membrane: Tensor
    current: Tensor

    @staticmethod
    def at_rest(like: Tensor) -> MembraneAdjoint:
        """Behind the last step."""
        return MembraneAdjoint(torch.zeros_like(like), torch.zeros_like(like))


def adjoint_of(layer: Layer, activity: Activity) -> Callable[[MembraneAdjoint, Tensor, int], MembraneAdjoint]:
    """One step backwards through membrane and synaptic current, resets held fixed: (later, post factor, t) to t.

    R[t] = post[t] + keep[t+1] R[t+1],  Q[t] = admit[t] R[t] + alpha Q[t+1].

    Raises:
        UserError: a neuron whose state has no known derivative.
    """
    gates, dynamics, steps = activity.gates, layer.neuron.dynamics(), activity.steps
    if gates is not None:
        known, alpha = gates, layer.neuron.current_decay

        def gated(later: MembraneAdjoint, post: Tensor, t: int) -> MembraneAdjoint:
            membrane = post + known.keep[t + 1] * later.membrane if t + 1 < steps else post
            return MembraneAdjoint(membrane, known.admit[t] * membrane + alpha * later.current)

        return gated
    if dynamics is None:
        raise UserError(f"neuron of layer '{layer.name}' has no exact derivative in time. Use a local rule")
    beta, zeroed, spikes = dynamics.beta, dynamics.reset == "zero", activity.S.values

    def leaky(later: MembraneAdjoint, post: Tensor, t: int) -> MembraneAdjoint:
        found = post + (beta * (1 - spikes[t]) if zeroed else beta) * later.membrane
        return MembraneAdjoint(found, found)

    return leaky


def reverse_scan(view: LocalView, post: Tensor) -> Tensor:
    """The adjoint of the membrane's own recursion by its current, resets held fixed: R of R[t] = post[t] + gate R[t+1],
    or Q of `adjoint_of`."""
    dynamics = view.layer.neuron.dynamics()
    if dynamics is not None and not isinstance(dynamics.beta, Tensor) and dynamics.beta == 0:
        return post  # a membrane without memory
    steps, v = view.activity.steps, view.activity.v.values
    if view.activity.gates is not None:
        return _gated_scan(view, post.expand_as(v))
    if dynamics is None:
        if view.layer.neuron.steps == 1:
            return post
        raise UserError(f"neuron of layer '{view.layer.name}' has no exact eligibility dv_dw. Use S_pre or a trace")
    flat = Series.of(post, view.layer.shape).flat()
    beta = dynamics.beta.reshape(-1) if isinstance(dynamics.beta, Tensor) else dynamics.beta
    reset = RESETS[dynamics.reset]
    spikes = view.activity.S.values.reshape(steps, v.shape[1], -1) if reset == scans.Reset.ZERO else None
    return scans.reverse_scan(flat, steps, beta, reset, spikes=spikes).reshape(v.shape)


def _gated_scan(view: LocalView, post: Tensor) -> Tensor:
    step, found = adjoint_of(view.layer, view.activity), torch.empty_like(post)
    reaches = MembraneAdjoint.at_rest(post[0])
    for t in reversed(range(view.activity.steps)):
        reaches = step(reaches, post[t], t)
        found[t] = reaches.current
    return found


def forward_eligibility(view: LocalView, entry: Input, spikes: Series) -> Tensor | None:
    """`dv_dw` of a window, (T, B, *pre), where leak and reset let it factor into traces; None where they do not.

    Raises:
        UserError: the layer is normalised, so that the eligibility needs all steps at once.
    """
    dynamics = view.layer.neuron.dynamics()
    if view.activity.gain is not None:
        raise UserError(
            f"layer '{view.layer.name}' is normalised, and dv_dw runs backwards through its normalisation: it needs "
            f"all steps at once. Use --schedule by_layer, or --norm none"
        )
    if view.activity.gates is not None:
        decays = view.layer.neuron.decays()
        return None if decays is None else _cascade(view, f"dv_dw.{entry.name}", spikes, decays)
    if dynamics is None or (dynamics.reset != "zero" and not isinstance(dynamics.beta, Tensor)):
        return spikes.values if dynamics is None else trace(view, f"dv_dw.{entry.name}", spikes, dynamics.beta)
    return None


def _cascade(view: LocalView, key: str, series: Series, decays: tuple[float, ...]) -> Tensor:
    """Low-pass filters in a row: a synaptic current, then the membrane."""
    for number, decay in enumerate(decays):
        series = Series(trace(view, f"{key}.{number}", series, decay), False)
    return series.values


def trace_a_synapse(view: LocalView, entry: Input, post: Tensor) -> Tensor:
    """Exact eligibility step by step where it does not factor: e[t] = gate[t] e[t-1] + S_pre[t], B x O x I numbers."""
    if len(view.layer.shape) > 1:
        raise UserError(f"layer '{view.layer.name}': dv_dw step by step needs a dense layer. Use --schedule by_layer")
    steps = view.activity.steps
    pre = view.activity.pre[entry.name].over_time(steps)
    factor = Series.of(post, view.layer.shape).over_time(steps)
    key, passing = f"dv_dw.{entry.name}", _Passing(view, synapse=True)
    like = pre.new_zeros(*view.activity.S.values.shape[1:], pre.shape[-1])
    change = like.new_zeros(like.shape[1:])
    for t in range(steps):
        change = change + torch.einsum("bo,boi->oi", factor[t], passing(key, pre[t][:, None, :].expand_as(like), t))
    passing.leave(key)
    return change


def eligibility_over_time(view: LocalView, entry: Input) -> Tensor:
    """`dv_dw` of every synapse after every step, (T, B, O, I), resets and running averages held fixed: for recorders.

    Raises:
        UserError: maps, whose synapses are no matrix, and connections that are not linear.
    """
    if len(view.layer.shape) > 1 or not entry.connection.linear:
        raise UserError(f"dv_dw of layer '{view.layer.name}' has no matrix of synapses to record. Record m and S")
    steps, pre = view.activity.steps, view.activity.pre[entry.name].over_time(view.activity.steps)
    if entry.name in view.activity.pre_mean:
        pre = pre - view.activity.pre_mean[entry.name]
    arriving = pre[:, :, None, :].expand(*view.activity.S.values.shape, pre.shape[-1])
    if view.layer.neuron.dynamics() is not None or view.activity.gates is not None:
        passing = _Passing(view, synapse=True)
        arriving = torch.stack([passing(f"dv_dw.{entry.name}", arriving[t], t) for t in range(steps)])
    gain = view.activity.gain
    return arriving if gain is None else arriving * gain[:, None]


def bias_eligibility(view: LocalView, parameter: str) -> Tensor:
    """Exact eligibility of a constant current, forwards: e[t] = gate[t] e[t-1] + 1; (T, B, *shape)."""
    return eligibility_of(view, f"dv_dw.{parameter}", torch.ones_like(view.activity.S.values))


def eligibility_of(view: LocalView, key: str, arriving: Tensor) -> Tensor:
    """Exact eligibility of what arrives at each neuron: e[t] = gate[t] e[t-1] + arriving[t], (T, B, *shape)."""
    if view.layer.neuron.dynamics() is None and view.activity.gates is None:
        return arriving  # a neuron without memory
    passing = _Passing(view, synapse=False)
    found = torch.stack([passing(key, arriving[t], t) for t in range(view.activity.steps)])
    passing.leave(key)
    return found


class _Passing:
    """Eligibilities of a window, a step at a time; what they leave to the next window waits among the view's traces.

    e[t] = keep[t] e[t-1] + admit[t] y[t],  y[t] = alpha y[t-1] + what arrives at t.

    Args:
        synapse: whether an eligibility is one a synapse, (B, O, I), or one a neuron.
    """

    def __init__(self, view: LocalView, synapse: bool) -> None:
        self.view, self.synapse = view, synapse
        self.gates, self.dynamics = view.activity.gates, view.layer.neuron.dynamics()
        self.alpha, self.late = (
            self._along(view.layer.neuron.current_decay),
            torch.zeros_like(view.activity.S.values[0]),
        )

    def __call__(self, key: str, arriving: Tensor, t: int) -> Tensor:
        traces = self.view.carry.traces
        e = traces.get(key, torch.zeros_like(arriving))
        if self.gates is not None:
            y = self.alpha * traces.get(f"{key}.current", torch.zeros_like(arriving)) + arriving
            traces[f"{key}.current"] = y
            e = self._along(self.gates.keep[t]) * e + self._along(self.gates.admit[t]) * y
        else:
            assert self.dynamics is not None
            late = self.view.activity.S.values[t - 1] if t else traces.get(f"{key}.spikes", self.late)
            gate = self.dynamics.beta * (1 - late if self.dynamics.reset == "zero" else torch.ones_like(late))
            e = self._along(gate) * e + arriving
        traces[key] = e
        return e

    def leave(self, key: str) -> None:
        """Keep the last spikes for the next window."""
        self.view.carry.traces[f"{key}.spikes"] = self.view.activity.S.values[-1]

    def _along(self, value: float | Tensor) -> float | Tensor:
        return value[..., None] if self.synapse and isinstance(value, Tensor) else value
