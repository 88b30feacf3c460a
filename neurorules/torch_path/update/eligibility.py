"""The past that a layer's texts read: low-pass traces, delays, and exact eligibilities as scans over neurons."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from neurorules.contracts.series import Series
from neurorules.language.errors import UserError
from neurorules.native import scans
from neurorules.network.layer import Input, Layer
from neurorules.torch_path.forward.run_layer import Activity
from neurorules.torch_path.update.local_view import LocalView


def trace(view: LocalView, key: str, spikes: Series, decay: float | Tensor) -> Tensor:
    """The low-pass trace x[t] = decay x[t-1] + S[t], as the scan of a leaky integrator that never fires.

    Args:
        view: the local view of the layer, which stores the trace for other texts and its last value for the next
            window.
        key: name of the trace in the view.
        spikes: the values to filter, (T, B, *shape) or constant (B, *shape).
        decay: per step, in [0, 1]; one number, or one per neuron.

    Returns:
        The trace, (T, B, *shape).
    """
    if key in view.traced:
        return view.traced[key]
    values = spikes.values
    lead = values.shape[:1] if spikes.constant else values.shape[:2]
    flat = values.reshape(*lead, -1)
    start = view.carry.traces.get(key)
    scan = scans.scan(flat, view.activity.steps, decay, float("inf"), scans.Reset.NONE, u0=start, spikes=False)
    view.carry.traces[key] = scan.u
    view.traced[key] = scan.membranes.reshape(view.activity.steps, *values.shape[0 if spikes.constant else 1 :])
    return view.traced[key]


def delayed(view: LocalView, key: str, series: Series, ago: int) -> Tensor:
    """A series as it was some steps before; 0 before the first step.

    Between windows, `ago` x B x *shape numbers are stored in the view's traces; a window of all steps stores none.

    Args:
        view: the local view of the layer, which stores the result for other texts.
        key: name of the result in the view.
        series: the values to delay, (T, B, *shape) or constant (B, *shape).
        ago: number of steps, >= 1.

    Returns:
        The delayed values, (T, B, *shape).
    """
    if key in view.traced:
        return view.traced[key]
    steps = view.activity.steps
    values = series.over_time(steps)
    earlier = view.carry.traces.get(key)
    if earlier is None:
        earlier = values.new_zeros(min(ago, steps) if view.whole else ago, *values.shape[1:])
    if not view.whole:
        view.carry.traces[key] = torch.cat([earlier, values])[-ago:].clone()
    view.traced[key] = torch.cat([earlier[:steps], values[: max(steps - ago, 0)]])
    return view.traced[key]


class MembraneAdjoint(NamedTuple):
    """Derivatives of a sum over later steps.

    Args:
        membrane: with respect to the membrane of a step, (B, *shape).
        current: with respect to the current that drives that step, (B, *shape).
    """

    membrane: Tensor
    current: Tensor

    @staticmethod
    def at_rest(like: Tensor) -> MembraneAdjoint:
        """Derivatives that are 0, for the step after the last one."""
        return MembraneAdjoint(torch.zeros_like(like), torch.zeros_like(like))


def adjoint_of(layer: Layer, activity: Activity) -> Callable[[MembraneAdjoint, Tensor, int], MembraneAdjoint]:
    """One step backwards through membrane and synaptic current, resets held fixed.

    R[t] = post[t] + keep[t+1] R[t+1],  Q[t] = admit[t] R[t] + alpha Q[t+1].

    Args:
        layer: the layer that the neurons belong to.
        activity: the activity of the layer, in a window of T steps.

    Returns:
        A function from (derivatives at t + 1, post factor (B, *shape) at t, t) to the derivatives at t: R and Q.

    Raises:
        UserError: the derivative of the neuron's state is not known.
    """
    gates, dynamics, steps = activity.gates, layer.dynamics, activity.steps
    if gates is not None:
        passes, alpha = gates, layer.neuron.current_decay

        def gated(later: MembraneAdjoint, post: Tensor, t: int) -> MembraneAdjoint:
            membrane = post + passes.keep[t + 1] * later.membrane if t + 1 < steps else post
            return MembraneAdjoint(membrane, passes.admit[t] * membrane + alpha * later.current)

        return gated
    if dynamics is None:
        raise UserError(f"the neurons of layer '{layer.name}' have no exact derivative in time. Use a local rule")
    beta, zeroed, spikes = dynamics.beta, dynamics.reset == "zero", activity.S.values

    def leaky(later: MembraneAdjoint, post: Tensor, t: int) -> MembraneAdjoint:
        membrane = post + (beta * (1 - spikes[t]) if zeroed else beta) * later.membrane
        return MembraneAdjoint(membrane, membrane)

    return leaky


def passing_of(layer: Layer, activity: Activity) -> scans.Passing | None:
    """The gates by which changes pass through the steps of a layer, in the form that compiled scans read.

    Args:
        layer: the layer that the neurons belong to.
        activity: the activity of the layer, in a window of T steps.

    Returns:
        The gates, (T, B, N) each; None for neurons that have neither gates nor dynamics.
    """
    gates, dynamics, spikes = activity.gates, layer.dynamics, activity.S.values
    if gates is not None:
        rise, decay = layer.neuron.adaptation or (0.0, 0.0)
        numbers = [n.reshape(-1) if isinstance(n, Tensor) else n for n in (layer.neuron.current_decay, rise, decay)]
        return scans.Passing(gates.keep.flatten(2), gates.admit.flatten(2), *numbers)
    if dynamics is None:
        return None
    one = spikes.new_ones(())
    keep = (dynamics.beta * one).expand_as(spikes)
    if dynamics.reset == "zero":
        keep = keep * (1 - torch.cat([torch.zeros_like(spikes[:1]), spikes[:-1]]))
    return scans.Passing(keep.flatten(2), one.expand_as(spikes).flatten(2))


def reverse_scan(view: LocalView, post: Tensor) -> Tensor:
    """The adjoint of the membrane's recursion with respect to its current, with resets held fixed.

    It is R of R[t] = post[t] + gate R[t+1], or Q of `adjoint_of` for neurons with gates.

    Args:
        view: the local view of the layer, in a window of all steps.
        post: post factor, (T, B, *shape) or constant (B, *shape).

    Returns:
        The adjoint, (T, B, *shape); `post` itself for a membrane without memory.

    Raises:
        UserError: the derivative of the neuron's state is not known.
    """
    dynamics = view.layer.dynamics
    if dynamics is not None and not isinstance(dynamics.beta, Tensor) and dynamics.beta == 0:
        return post  # a membrane without memory
    steps, v = view.activity.steps, view.activity.v.values
    if view.activity.gates is not None:
        return _gated_scan(view, post.expand_as(v)).current
    if dynamics is None:
        own = view.layer.neuron.reversed_in_time(post.expand_as(v), view.activity.S.values)
        if own is not None:
            return own
        if view.layer.neuron.steps == 1:
            return post
        raise UserError(
            f"the neurons of layer '{view.layer.name}' have no exact eligibility dv_dw. Use S_pre or a trace"
        )
    flat = Series.of(post, view.layer.shape).flat()
    beta = dynamics.beta.reshape(-1) if isinstance(dynamics.beta, Tensor) else dynamics.beta
    reset = scans.RESETS[dynamics.reset]
    spikes = view.activity.S.values.reshape(steps, v.shape[1], -1) if reset == scans.Reset.ZERO else None
    return scans.reverse_scan(flat, steps, beta, reset, spikes=spikes).reshape(v.shape)


def membrane_scan(view: LocalView, post: Tensor) -> Tensor:
    """The adjoint of the membrane's recursion with respect to the membrane, R of `adjoint_of`, with resets held fixed.

    Args:
        view: the local view of the layer, in a window of all steps.
        post: post factor, (T, B, *shape).

    Returns:
        The adjoint, (T, B, *shape).

    Raises:
        UserError: the derivative of the neuron's state is not known.
    """
    return reverse_scan(view, post) if view.activity.gates is None else _gated_scan(view, post).membrane


def _gated_scan(view: LocalView, post: Tensor) -> MembraneAdjoint:
    """R and Q of all steps, (T, B, *shape) each."""
    passing = passing_of(view.layer, view.activity) if scans.loops(post) else None
    if passing is not None:
        membrane, current = scans.adjoint(post.flatten(2), passing)
        return MembraneAdjoint(membrane.reshape(post.shape), current.reshape(post.shape))
    step, reached = adjoint_of(view.layer, view.activity), MembraneAdjoint.at_rest(post)
    reaches = MembraneAdjoint.at_rest(post[0])
    for t in reversed(range(view.activity.steps)):
        reaches = step(reaches, post[t], t)
        reached.membrane[t], reached.current[t] = reaches
    return reached


def forward_eligibility(view: LocalView, entry: Input, spikes: Series) -> Tensor | None:
    """The eligibility `dv_dw` of a window if leak and reset allow it to factor into traces of the presynaptic neurons.

    Args:
        view: the local view of the layer.
        entry: the connection.
        spikes: the activity that reaches it, (T, B, *pre) or constant (B, *pre).

    Returns:
        The eligibility, (T, B, *pre) or constant (B, *pre); None if it does not factor.

    Raises:
        UserError: the layer is normalised, or the connection not linear, so that the eligibility needs all steps at
            once.
    """
    dynamics = view.layer.dynamics
    remembers = view.activity.gates is not None or (dynamics is not None and not view.layer.forgets)
    if remembers and not entry.connection.linear:
        raise UserError(f"layer '{view.layer.name}': dv_dw step by step needs a dense layer. Use --schedule by_layer")
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
