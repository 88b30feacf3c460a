"""Numbers of neurons, such as a decay or a threshold, that learn by the post factor of the layer's weights."""

from __future__ import annotations

from torch import Tensor

from neurorules.network.products import Group
from neurorules.torch_path.update.eligibility import membrane_scan
from neurorules.torch_path.update.local_view import LocalView
from neurorules.torch_path.update.post_values import post_value


def change_numbers(view: LocalView, group: Group) -> dict[str, Tensor]:
    """The change of each number that the neurons of a layer learn by texts.

    With d the post factor at the membrane and R its adjoint through the membrane, the change is the sum over steps and
    rows of R dv/dn + d dx/dn, where n is the number and x the part of the distance to the threshold that does not
    depend on v. A text that reads the spike of the present step instead of the eligibility has R = d.

    Args:
        view: the local view of the layer, in a window of all steps.
        group: the group of the text of its weights.

    Returns:
        By full name; empty for neurons that learn none.
    """
    neuron = view.layer.neuron
    raw = {name: view.parameters[f"{view.layer.name}.{name}"] for name in neuron.learns}
    factors = neuron.own_factors(raw, view.activity.v.values, view.activity.S.values)
    if not factors or group.form is None:
        return {}
    post = post_value(view, group.post, lambda factor: factor).expand_as(view.activity.v.values)
    through = membrane_scan(view, post) if group.eligible else post
    changes = {}
    for name, (membrane, distance) in factors.items():
        value = through * membrane
        if group.form.factor == "psi":
            value = value + post * distance
        rows = value.sum((0, 1))
        changes[f"{view.layer.name}.{name}"] = rows.sum_to_size(raw[name].shape).clone()
    return changes
