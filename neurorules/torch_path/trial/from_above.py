"""The error that reaches the spikes of a layer: from the layers above, and from its own later steps.

It comes back from later steps through recurrent connections, and through thresholds that rise with spikes. A signal
receives it only with the need "above" (`trial.allowance`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

import torch
from torch import Tensor

from neurorules.connections.recurrent import Recurrent
from neurorules.contracts.series import Series
from neurorules.native import scans
from neurorules.network.layer import Input, Layer, Masks, carry_back
from neurorules.torch_path.forward.run_layer import Activity
from neurorules.torch_path.update.eligibility import MembraneAdjoint, adjoint_of, passing_of
from neurorules.torch_path.update.spike_times import earlier


def carrier(
    layers: tuple[Layer, ...], index: int, activity: Activity, masks: Masks, handed: Mapping[int, Tensor | None],
    instant: bool = False, of_times: bool = False,
) -> Callable[[Callable[[str], Tensor]], Series]:  # fmt: skip
    """The error that reaches a layer's spikes from the layers that read it, as a function of their weights.

    The function holds no weights: its caller provides them.

    Args:
        layers: the layers of the network.
        index: the index of the layer.
        activity: the activity of the layer.
        masks: dropout masks.
        handed: by layer, its post factor with respect to its current; already there for the layers above.
        instant: whether the error that comes back from later steps through recurrent connections is left out.
        of_times: whether it is the error of a spike that comes a step earlier, and not of one more spike.

    Returns:
        A function from the weights of a connection, by their name, to a series, (T, B, *shape) or constant (B, *shape).
    """
    return partial(_carried, layers, index, activity, masks, handed, instant, of_times)


def _carried(
    layers: tuple[Layer, ...], index: int, activity: Activity, masks: Masks, handed: Mapping[int, Tensor | None],
    instant: bool, of_times: bool, weights_of: Callable[[str], Tensor],
) -> Series:  # fmt: skip
    """The error that `carrier` returns, for the weights that it is called with."""
    total: Tensor | None = None
    for later in range(index + 1, len(layers)):
        for entry in layers[later].inputs:
            post = handed.get(later)
            if entry.source != index or entry.connection.recurrent or post is None:
                continue
            series = Series.of(post, layers[later].shape)
            series = earlier(series, activity.steps) if of_times else series
            weights = weights_of(layers[later].weight_name(entry))
            back = carry_back(layers[later], entry, weights, series, activity.S, masks)
            total = back.values if total is None else total + back.values
    if total is None:
        raise LookupError(f"no layer reads layer '{layers[index].name}'")
    if not instant:
        total = through_own_loop(layers[index], activity, total, weights_of, of_times)
    return Series.of(total, layers[index].shape)


def through_own_loop(
    layer: Layer, activity: Activity, factor: Tensor, weights_of: Callable[[str], Tensor], of_times: bool = False
) -> Tensor:
    """Add the factor that comes back from later steps of the same layer to a factor of the layer's spikes.

    factor[t] += sum_rec W_rec^T (gain Q[t+delay]) + A[t+1], with Q the membrane's adjoint of factor psi by its current,
    and A[t] = decay A[t+1] - rise factor[t] psi[t] the derivative by the adaptation of the neurons, where thresholds
    rise with spikes: the exact derivative through membrane, loop and threshold, resets held fixed. `gain` is the
    normalisation's, constant in a trial. Of a spike that comes a step earlier, Q[t+1] - Q[t+2] stands for Q[t+1], at
    a delay of 1.

    Args:
        layer: the recurrent or adaptive layer.
        activity: the activity of the layer, in all T steps.
        factor: the factor of its spikes from the layers above, (T, B, *shape) or constant (B, *shape).
        weights_of: backward weights of a connection, by the name of its weights: its own (weight transport) or fixed
            ones.
        of_times: whether factors are those of spikes that come a step earlier.

    Returns:
        The sum of both factors, (T, B, *shape); the factor itself if nothing comes back, or T = 1.

    Raises:
        UserError: a neuron whose state has no known derivative.
    """
    loops = [entry for entry in layer.inputs if entry.connection.recurrent and entry.name in activity.pre]
    if not (loops or layer.neuron.adaptation) or activity.steps == 1:
        return factor
    scanned = None if of_times else _in_one_scan(layer, activity, loops, factor, weights_of)
    return _step_by_step(layer, activity, loops, factor, weights_of, of_times) if scanned is None else scanned


def _in_one_scan(
    layer: Layer, activity: Activity, loops: list[Input], factor: Tensor, weights_of: Callable[[str], Tensor]
) -> Tensor | None:
    """The sum of `through_own_loop`, compiled; None if no scan runs these neurons and recurrent connections."""
    v = activity.v.values
    served = scans.loops(v, v.shape[-1] if loops else 0)
    served = served and [type(entry.connection) for entry in loops] in ([], [Recurrent])
    passing = passing_of(layer, activity) if served else None
    if passing is None:
        return None
    gain = None if activity.gain is None else activity.gain.expand(1, *layer.shape).reshape(-1)
    weights = weights_of(layer.weight_name(loops[0])) if loops else None
    flat = [value.expand_as(v).flatten(2) for value in (factor, activity.psi(layer.neuron, v))]
    return scans.loop_back(flat[0], flat[1], passing, weights, gain).reshape(v.shape)


def _step_by_step(
    layer: Layer, activity: Activity, loops: list[Input], factor: Tensor, weights_of: Callable[[str], Tensor],
    of_times: bool,
) -> Tensor:  # fmt: skip
    """The sum of `through_own_loop`, one step after the other from the last one on."""
    v, adaptation = activity.v.values, layer.neuron.adaptation
    psi = activity.psi(layer.neuron, v)
    total = factor.expand_as(v).clone()
    adjoint = adjoint_of(layer, activity)
    reaches, threshold = MembraneAdjoint.at_rest(v[0]), torch.zeros_like(v[0])
    steps, by_currents = activity.steps, list[Tensor | None]([None] * activity.steps)
    farthest = max((entry.connection.delay for entry in loops), default=1) + 1
    for t in reversed(range(steps)):
        for entry in loops:
            post = _arriving(by_currents, t + entry.connection.delay, of_times)
            if post is not None:
                post = post if activity.gain is None else post * activity.gain
                total[t] += entry.connection.transpose(weights_of(layer.weight_name(entry)), post, entry.pre_shape)
        if t + 1 < steps:
            total[t] += threshold
        reaches = adjoint(reaches, total[t] * psi[t], t)
        by_currents[t] = reaches.current
        if t + farthest < steps:
            by_currents[t + farthest] = None
        if adaptation is not None:
            threshold = adaptation.decay * threshold - adaptation.rise * total[t] * psi[t]
    return total


def _arriving(by_currents: list[Tensor | None], step: int, of_times: bool) -> Tensor | None:
    """The factor that comes back from the step in which a spike arrives; None if that is after the last one.

    Args:
        by_currents: the adjoints by the current of each step, (B, *shape), from the last step on as far as they are
            known.
        step: the step of the arrival.
        of_times: whether it is that of a spike that comes a step earlier: one that arrives in the last step has no
            later step to move to.
    """
    if step >= len(by_currents):
        return None
    post = by_currents[step]
    if post is None or not of_times:
        return post
    after = by_currents[step + 1] if step + 1 < len(by_currents) else None
    return torch.zeros_like(post) if after is None else post - after
