"""Declared eligibilities at every synapse of a dense layer, step by step, and scans whose decay varies in time."""

from __future__ import annotations

import torch
from torch import Tensor

from neurorules.contracts.series import Series
from neurorules.language.expressions import Expression
from neurorules.native import scans
from neurorules.network.layer import Input
from neurorules.network.products import DeclaredEligibility, Group
from neurorules.torch_path.update.local_view import LocalView
from neurorules.torch_path.update.post_values import post_value
from neurorules.torch_path.update.pre_factors import pre_value


def gated_scan(brought: Tensor, gate: Tensor, start: Tensor | None = None) -> Tensor:
    """The low-pass e[t] = gate[t] e[t-1] + brought[t], whose decay varies in time.

    Args:
        brought: (T, ...).
        gate: decay of each step, of a shape that broadcasts with `brought`.
        start: the value before the first step, (...); 0 where it is left out.

    Returns:
        The values, (T, ...).
    """
    now = torch.zeros_like(brought[0]) if start is None else start
    values = torch.empty_like(brought)
    for t in range(len(brought)):
        now = values[t] = gate[t] * now + brought[t]
    return values


def gated_reverse_scan(factor: Tensor, gate: Tensor) -> Tensor:
    """The adjoint of `gated_scan`: R[t] = factor[t] + gate[t+1] R[t+1], and R = 0 after the last step.

    Args:
        factor: (T, ...).
        gate: decay of each step, (T, ...).

    Returns:
        The values, (T, ...).
    """
    if scans.loops(factor) and factor.ndim > 2:
        wide = torch.broadcast_tensors(factor, gate)
        flat, keep = (value.flatten(2) for value in wide)
        return scans.adjoint(flat, scans.Passing(keep, keep), current=False)[0].reshape(wide[0].shape)
    reaches, values = torch.zeros_like(factor[0] * gate[0]), torch.empty_like(factor * gate)
    for t in reversed(range(len(factor))):
        values[t] = factor[t] + reaches
        reaches = gate[t] * values[t]
    return values


def shifted_back(factor: Tensor) -> Tensor:
    """The factor of a value of the previous step, as a factor of the value itself: factor[t+1], and 0 at the last step.

    Args:
        factor: (T, ...).

    Returns:
        The shifted factor, (T, ...).
    """
    return torch.cat([factor[1:], torch.zeros_like(factor[:1])])


def decays(view: LocalView, decay: float | Expression) -> Tensor:
    """The decay of an eligibility at each step.

    Args:
        view: the local view on which the texts are evaluated.
        decay: a number, or an expression of the postsynaptic neuron.

    Returns:
        The decay, (T, B, *shape).
    """
    v = view.activity.v.values
    if isinstance(decay, float):
        return torch.full_like(v, decay)
    return post_value(view, decay, lambda a: a).expand_as(v)


def has_matrix(view: LocalView, entry: Input, w: Tensor) -> bool:
    """Whether the synapses of a connection are a matrix, so that an eligibility can be kept for each.

    Args:
        view: the local view on which the texts are evaluated.
        entry: the connection.
        w: its weights.

    Returns:
        Whether `w` is a matrix (O, I), and the layer has no maps.
    """
    return w.shape == (*view.layer.shape, *entry.pre_shape) and len(view.layer.shape) == 1


def over_window(view: LocalView, entry: Input, eligibility: DeclaredEligibility) -> Tensor:
    """The eligibility of every synapse of a dense layer before the window and after each of its steps.

    It advances once per window, however many texts read it. Its last value is stored in the view's traces.

    Args:
        view: the local view on which the texts are evaluated.
        entry: the connection, O x I synapses.
        eligibility: the eligibility.

    Returns:
        The eligibility, (T + 1, B, O, I): the first one is that of the previous window.
    """
    key = f"{eligibility.name}.{entry.name}.steps"
    if key not in view.traced:
        brought = sum((_brought(view, entry, group) for group in eligibility.groups), start=torch.zeros(()))
        start = view.carry.traces.get(key)
        start = torch.zeros_like(brought[0]) if start is None else start
        after = gated_scan(brought, decays(view, eligibility.decay)[..., None], start)
        view.carry.traces[key] = after[-1]
        view.traced[key] = torch.cat([start[None], after])
    return view.traced[key]


def _brought(view: LocalView, entry: Input, group: Group) -> Tensor:
    """The change that a group of an eligibility brings to every synapse at each step, (T, B, O, I)."""
    steps = view.activity.steps
    own = Series.of(post_value(view, group.post, lambda a: a), view.layer.shape).over_time(steps)[..., None]
    if group.eligibility is None:
        return own * pre_value(view, entry, group.pre).over_time(steps)[:, :, None, :]
    earlier = over_window(view, entry, group.eligibility)
    return own * (earlier[:-1] if group.late else earlier[1:])
