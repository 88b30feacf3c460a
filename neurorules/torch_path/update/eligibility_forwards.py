"""Exact eligibilities computed forwards in time, step by step, for every synapse or every neuron."""

from __future__ import annotations

import torch
from torch import Tensor

from neurorules.contracts.series import Series
from neurorules.language.errors import UserError
from neurorules.network.layer import Input
from neurorules.torch_path.update.local_view import LocalView


def trace_a_synapse(view: LocalView, entry: Input, post: Tensor) -> Tensor:
    """The change by an exact eligibility that does not factor: e[t] = gate[t] e[t-1] + S_pre[t], for every synapse.

    Args:
        view: the local view of the layer, which is flat; between windows, B x O x I numbers are stored in its traces.
        entry: the connection, O x I synapses.
        post: the factor that multiplies the eligibility, (T, B, O) or constant (B, O).

    Returns:
        Sum over steps and rows of post factor times eligibility, (O, I).

    Raises:
        UserError: the layer has maps.
    """
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
    """The eligibility `dv_dw` of every synapse after every step, resets and running averages held fixed, for recorders.

    Args:
        view: the local view of the layer, in a window of all steps.
        entry: the connection, O x I synapses.

    Returns:
        The eligibility, (T, B, O, I).

    Raises:
        UserError: the layer has maps, whose synapses are no matrix, or the connection is not linear.
    """
    if len(view.layer.shape) > 1 or not entry.connection.linear:
        raise UserError(f"dv_dw of layer '{view.layer.name}' has no matrix of synapses to record. Record m and S")
    _check_forwards(view)
    steps, pre = view.activity.steps, view.activity.pre[entry.name].over_time(view.activity.steps)
    if entry.name in view.activity.pre_mean:
        pre = pre - view.activity.pre_mean[entry.name]
    arriving = pre[:, :, None, :].expand(*view.activity.S.values.shape, pre.shape[-1])
    if view.layer.dynamics is not None or view.activity.gates is not None:
        passing = _Passing(view, synapse=True)
        arriving = torch.stack([passing(f"dv_dw.{entry.name}", arriving[t], t) for t in range(steps)])
    gain = view.activity.gain
    return arriving if gain is None else arriving * gain[:, None]


def bias_eligibility(view: LocalView, parameter: str) -> Tensor:
    """The exact eligibility of a constant current, forwards: e[t] = gate[t] e[t-1] + 1.

    Args:
        view: the local view of the layer; its last value is stored in the view's traces.
        parameter: name of the parameter that brings the current, such as "b".

    Returns:
        The eligibility, (T, B, *shape).
    """
    return eligibility_of(view, f"dv_dw.{parameter}", torch.ones_like(view.activity.S.values))


def eligibility_of(view: LocalView, key: str, arriving: Tensor) -> Tensor:
    """The exact eligibility for a current into each neuron: e[t] = gate[t] e[t-1] + arriving[t].

    Args:
        view: the local view of the layer.
        key: name under which the last value is stored in the view's traces.
        arriving: (T, B, *shape).

    Returns:
        The eligibility, (T, B, *shape); `arriving` itself for a neuron without memory.
    """
    _check_forwards(view)
    if view.layer.dynamics is None and view.activity.gates is None:
        return arriving  # a neuron without memory
    passing = _Passing(view, synapse=False)
    eligibilities = torch.stack([passing(key, arriving[t], t) for t in range(view.activity.steps)])
    passing.leave(key)
    return eligibilities


def _check_forwards(view: LocalView) -> None:
    """Refuse neurons whose derivatives are only defined backwards in time.

    Raises:
        UserError: the neurons are of that kind.
    """
    neuron = view.layer.neuron
    if neuron.needs_whole_trial and neuron.dynamics() is None and view.activity.gates is None:
        raise UserError(f"the neurons of layer '{view.layer.name}' have no dv_dw forwards in time. Record m and S")


class _Passing:
    """The eligibilities of a window, computed one step after the other. Their last values are stored in the view's
    traces.

    e[t] = keep[t] e[t-1] + admit[t] y[t], y[t] = alpha y[t-1] + the current at t.

    Args:
        view: the local view of the layer.
        synapse: whether there is one eligibility per synapse, (B, O, I), or one per neuron, (B, *shape).
    """

    def __init__(self, view: LocalView, synapse: bool) -> None:
        self.view, self.synapse = view, synapse
        self.gates, self.dynamics = view.activity.gates, view.layer.dynamics
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
        elif self.dynamics is None:
            raise LookupError(f"the neurons of layer '{self.view.layer.name}' have neither gates nor a leak")
        else:
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
