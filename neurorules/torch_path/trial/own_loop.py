"""What a population sends itself, one step late, carried back through time: global signals alone may ask for it."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor

from neurorules.network.layer import Layer
from neurorules.torch_path.forward.run_layer import Activity
from neurorules.torch_path.update.eligibility import MembraneAdjoint, adjoint_of


def through_own_loop(layer: Layer, activity: Activity, asked: Tensor, weights_of: Callable[[str], Tensor]) -> Tensor:
    """Add to a factor on a layer's spikes what comes back to them through the layer's own recurrent connections.

    asked[t] += sum_rec W_rec^T (gain Q[t+1]), Q the membrane's adjoint of asked psi by its current: the exact
    derivative through membrane and loop, resets held fixed. `gain` is the normalisation's, constant in a trial.

    Args:
        layer: whose spikes loop.
        activity: of all T steps.
        asked: from the layers above, (T, B, *shape) or constant (B, *shape).
        weights_of: backward weights of a connection, by name: its own (weight transport) or fixed ones.

    Raises:
        UserError: a neuron whose state has no known derivative.
    """
    loops = [entry for entry in layer.inputs if entry.connection.recurrent and entry.name in activity.pre]
    if not loops or activity.steps == 1:
        return asked
    v = activity.v.values
    psi = activity.psi(layer.neuron, v)
    total = asked.expand_as(v).clone()
    adjoint = adjoint_of(layer, activity)
    reaches = MembraneAdjoint.at_rest(v[0])
    for t in reversed(range(activity.steps)):
        if t + 1 < activity.steps:
            post = reaches.current if activity.gain is None else reaches.current * activity.gain
            for entry in loops:
                total[t] += entry.connection.transpose(weights_of(layer.weight_name(entry)), post, entry.pre_shape)
        reaches = adjoint(reaches, total[t] * psi[t], t)
    return total
