"""The way back through time of what a population sends itself, one step late. Only global signals may ask for it."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor

from neurorules.connections.recurrent import Recurrent
from neurorules.native import scans
from neurorules.network.layer import Layer
from neurorules.torch_path.forward.run_layer import Activity
from neurorules.torch_path.update.eligibility import MembraneAdjoint, adjoint_of, passing_of


def through_own_loop(layer: Layer, activity: Activity, factor: Tensor, weights_of: Callable[[str], Tensor]) -> Tensor:
    """Add to a factor on a layer's spikes what comes back to them through the layer's own recurrent connections.

    factor[t] += sum_rec W_rec^T (gain Q[t+1]), with Q the membrane's adjoint of factor psi by its current: the exact
    derivative through membrane and loop, resets held fixed. `gain` is the normalisation's, constant in a trial.

    Args:
        layer: whose spikes loop.
        activity: of the layer, in all T steps.
        factor: on its spikes, from the layers above, (T, B, *shape) or constant (B, *shape).
        weights_of: backward weights of a connection, by the name of its weights: its own (weight transport) or fixed
            ones.

    Returns:
        The factor with what the loops bring back, (T, B, *shape); as it was where nothing loops, or T = 1.

    Raises:
        UserError: a neuron whose state has no known derivative.
    """
    loops = [entry for entry in layer.inputs if entry.connection.recurrent and entry.name in activity.pre]
    if not loops or activity.steps == 1:
        return factor
    v = activity.v.values
    psi = activity.psi(layer.neuron, v)
    passing = passing_of(layer, activity)
    if (
        scans.loops(v, v.shape[-1])
        and passing is not None
        and [type(entry.connection) for entry in loops] == [Recurrent]
    ):
        gain = None if activity.gain is None else activity.gain.expand(1, *layer.shape).reshape(-1)
        return scans.loop_back(factor.expand_as(v), psi, passing, weights_of(layer.weight_name(loops[0])), gain)
    total = factor.expand_as(v).clone()
    adjoint = adjoint_of(layer, activity)
    reaches = MembraneAdjoint.at_rest(v[0])
    for t in reversed(range(activity.steps)):
        if t + 1 < activity.steps:
            post = reaches.current if activity.gain is None else reaches.current * activity.gain
            for entry in loops:
                total[t] += entry.connection.transpose(weights_of(layer.weight_name(entry)), post, entry.pre_shape)
        reaches = adjoint(reaches, total[t] * psi[t], t)
    return total
