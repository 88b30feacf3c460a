"""Numbers inside neurons, a decay or a threshold, learned by the post factor that teaches the layer's weights."""

from __future__ import annotations

import torch
from torch import Tensor

from neurorules.network.products import Group
from neurorules.torch_path.update.eligibility import MembraneAdjoint, adjoint_of, reverse_scan
from neurorules.torch_path.update.local_view import LocalView
from neurorules.torch_path.update.post_factors import post_value


def change_numbers(view: LocalView, group: Group) -> dict[str, Tensor]:
    """The change of each number that the neurons of a layer learn by texts.

    With d the post factor at the membrane and R what it becomes backwards through the membrane, the change is the sum
    over steps and rows of R dv/dn + d dx/dn, where n is the number and x the distance to the threshold that v alone
    does not say. A text that reads the spike of the present step instead of the eligibility has R = d.

    Args:
        view: of the layer, in a window of all steps.
        group: of the text of its weights.

    Returns:
        By full name; empty for neurons that learn none.
    """
    neuron = view.layer.neuron
    raw = {name: view.parameters[f"{view.layer.name}.{name}"] for name in neuron.learns}
    factors = neuron.own_factors(raw, view.activity.v.values, view.activity.S.values)
    if not factors or group.form is None:
        return {}
    post = post_value(view, group.post, lambda factor: factor).expand_as(view.activity.v.values)
    through = _membrane_adjoint(view, post) if group.eligible else post
    changes = {}
    for name, (membrane, distance) in factors.items():
        value = through * membrane
        if group.form.factor == "psi":
            value = value + post * distance
        rows = value.sum((0, 1))
        changes[f"{view.layer.name}.{name}"] = rows.sum_to_size(raw[name].shape).clone()
    return changes


def _membrane_adjoint(view: LocalView, post: Tensor) -> Tensor:
    """R of R[t] = post[t] + keep[t+1] R[t+1], (T, B, *shape)."""
    if view.activity.gates is None:
        return reverse_scan(view, post)
    step, reached = adjoint_of(view.layer, view.activity), torch.empty_like(post)
    reaches = MembraneAdjoint.at_rest(post[0])
    for t in reversed(range(view.activity.steps)):
        reaches = step(reaches, post[t], t)
        reached[t] = reaches.membrane
    return reached
