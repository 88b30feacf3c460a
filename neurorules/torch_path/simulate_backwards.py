"""What a population sends itself, one step late, carried back through time: global signals alone may ask for it."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from neurorules.language.errors import UserError
from neurorules.torch_path.layer import Layer
from neurorules.torch_path.simulate import Activity


def through_own_loop(layer: Layer, activity: Activity, asked: Tensor, weights_of: Callable[[str], Tensor]) -> Tensor:
    """Add to a factor on a layer's spikes what comes back to them through the layer's own recurrent connections.

    asked[t] += sum_rec W_rec^T (gain R[t+1]),  R[t] = asked[t] psi[t] + gate[t+1] R[t+1]: the exact derivative through
    membrane and loop, resets held fixed. `gain` is the normalisation's, constant through the trial.

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
    dynamics = layer.neuron.dynamics()
    if dynamics is None:
        raise UserError(f"neuron of recurrent layer '{layer.name}' has no exact derivative in time. Use a local rule")
    v, spikes = activity.v.values, activity.S.values
    psi = layer.neuron.psi(v)
    total = asked.expand_as(v).clone()
    later = torch.zeros_like(v[0])
    for t in reversed(range(activity.steps)):
        if t + 1 < activity.steps:
            post = later if activity.gain is None else later * activity.gain
            for entry in loops:
                total[t] += entry.connection.transpose(weights_of(layer.weight(entry)), post, entry.pre_shape)
        gate = dynamics.beta * (1 - spikes[t]) if dynamics.reset == "zero" else dynamics.beta
        later = total[t] * psi[t] + gate * later
    return total
