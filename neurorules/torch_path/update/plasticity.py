"""From a layer's activity and third factor to the change of its parameters: the texts, evaluated.

Convention: a change is the sum over steps and rows of the text's value; the caller divides by the samples.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from neurorules.contracts.normalisation import UpdateStatistics
from neurorules.contracts.series import Series
from neurorules.language.rules import SENT
from neurorules.network.layer import Input
from neurorules.network.products import DeclaredEligibility, Group, value_of
from neurorules.network.texts import Text
from neurorules.torch_path.update.declared_eligibility import changes_by_eligibility, changes_by_factor
from neurorules.torch_path.update.eligibility import reverse_scan
from neurorules.torch_path.update.eligibility_forwards import bias_eligibility, trace_a_synapse
from neurorules.torch_path.update.local_view import ChangeSums, LocalView
from neurorules.torch_path.update.neuron_numbers import change_numbers
from neurorules.torch_path.update.post_factors import PostFactors
from neurorules.torch_path.update.pre_factors import CENTRED_SPIKES, correlate, correlate_mean, pre_factor


def learn_layer(
    view: LocalView, texts: tuple[Text, ...], statistics: Mapping[str, UpdateStatistics], sums: ChangeSums
) -> Tensor | None:
    """Evaluate a layer's texts over one window, and add the changes to `sums`.

    Args:
        view: the local view on which the texts are evaluated.
        texts: the texts of the rule; those of other roles and phases are skipped.
        statistics: running statistics of the layer's updates, by name.
        sums: the sums that changes and statistics of the window are added to.

    Returns:
        The value of the text `sent`, or else the post factor of the layer's last synaptic product with respect to the
        raw current, (T, B, *shape) or constant (B, *shape). Signals that come from above carry it to the layers below.
        None if no text changes weights, or where the layers below get nothing.

    Raises:
        UserError: a text needs all steps at once, or a dense layer.
    """
    handed: Tensor | None = None
    sent: Tensor | None = None
    factors = PostFactors(view, statistics, sums)
    for text in texts:
        if text.plasticity.role != view.layer.role or text.plasticity.phase != view.phase:
            continue
        if text.plasticity.populations == "flat" and len(view.layer.shape) > 1:
            continue
        for index, group in enumerate(text.groups):
            name = f"{view.phase}.{view.layer.name}.{text.plasticity.parameter}.{index}"
            if text.plasticity.parameter == SENT:
                if view.hands_down:
                    post = factors.of_current(group, name, every=True).values
                    sent = post if sent is None else sent + post
            elif text.plasticity.parameter == "w":
                handed = _change_weights(view, group, factors, name)
                for own, change in (change_numbers(view, group) if view.layer.neuron.learns else {}).items():
                    sums.add(own, change)
            else:
                _change_neurons(view, text.plasticity.parameter, group, factors, name)
    return handed if sent is None else sent


def _change_weights(view: LocalView, group: Group, factors: PostFactors, name: str) -> Tensor | None:
    """Add the change of the weights of all inputs of a layer by one group of products.

    Args:
        view: the local view on which the texts are evaluated.
        group: the products, which share a presynaptic factor and a factor of the weight.
        factors: computes the postsynaptic factors; the changes are added to its sums.
        name: the name of the update's statistics.

    Returns:
        The postsynaptic factor for the layers below, (T, B, *shape) or constant (B, *shape); None if no input was
        driven, or where the layers below get nothing.
    """
    entries = [entry for entry in view.layer.inputs if entry.name in view.activity.pre]
    if not entries:
        return None
    if group.eligibility is not None:
        return _change_by_eligibility(view, group, group.eligibility, entries, factors, name)
    pres = [pre_factor(view, entry, group) for entry in entries]
    # If the presynaptic factor is constant in time, only the average of the post factor over time matters, and is
    # exact.
    post = factors.of_current(group, name, every=any(pre is None or not pre.constant for pre in pres))
    for entry, pre in zip(entries, pres, strict=True):
        weights = view.layer.weight_names[entry.name]
        w = view.parameters[weights]
        if pre is None:
            change = trace_a_synapse(view, entry, post.values)
        else:
            change = correlate(view, entry, w, post, pre)
            if entry.name in view.activity.pre_mean and (group.eligible or group.pre == CENTRED_SPIKES):
                change = change.sub_(correlate_mean(view, entry, w, post))  # both are new
        factors.sums.add(weights, _scaled(view, group, w, change))
    return factors.of_step(group) if view.instant and group.eligible else post.values


def _change_by_eligibility(
    view: LocalView,
    group: Group,
    eligibility: DeclaredEligibility,
    entries: list[Input],
    factors: PostFactors,
    name: str,
) -> Tensor | None:
    """Add the change of the weights by a group that reads a declared eligibility of the synapses.

    Args:
        view, group, factors, name: as in `_change_weights`.
        eligibility: the eligibility that the group reads.
        entries: the inputs of the layer that were driven.

    Returns:
        The postsynaptic factor, (T, B, *shape) or constant (B, *shape); None if the layers below get none.
    """
    carried = factors.through_cascade(group, name)
    if carried is not None:
        handed, changes = carried.handed, changes_by_factor(view, entries, eligibility, carried.factor)
    else:
        post = factors.of_current(group, name, every=True)
        handed, changes = post.values, changes_by_eligibility(view, entries, eligibility, group.late, post)
    for entry, change in zip(entries, changes, strict=True):
        weights = view.layer.weight_names[entry.name]
        factors.sums.add(weights, _scaled(view, group, view.parameters[weights], change))
    return handed


def _scaled(view: LocalView, group: Group, w: Tensor, change: Tensor) -> Tensor:
    """Multiply a change by the group's factor of the weight itself; `w` and `change` have the shape of the weights."""
    if group.weight is None:
        return change
    names = {"w": w, **view.constants}
    return change * value_of(group.weight, names, view.layer.neuron.psi, lambda a: a)


def _change_neurons(view: LocalView, parameter: str, group: Group, factors: PostFactors, name: str) -> None:
    """Add the change of a parameter of the neurons (their bias), or of the signal in its phase (a target embedding).

    Args:
        view: the local view on which the texts are evaluated.
        parameter: its name without the layer, such as "b". The bias has one number per neuron, (N,), or per map, (C, 1,
            1); a parameter of the signal has one row per row of the phase, or per column of its context.
        group: the products, which have no presynaptic factor.
        factors: computes the postsynaptic factors; the change is added to its sums.
        name: the name of the update's statistics.
    """
    changed = f"{view.layer.name}.{parameter}"
    unused = (
        parameter == "b" and view.activity.current is None
    )  # only an injected current drives the layer, and the bias has no effect
    if changed not in view.parameters or unused:
        return
    total = factors.total_of_neurons(group)
    if total is None:
        post = factors.of_neurons(group, name)
        values = post.values
        if group.eligible:
            values = reverse_scan(view, values) if view.whole else values * bias_eligibility(view, parameter)
        total = Series.of(values, view.layer.shape).total(view.activity.steps)
    if parameter == "b":
        total = total.sum(0) if total.ndim == 2 else total.sum((0, 2, 3)).reshape(-1, 1, 1)
    elif view.context is not None:
        total = torch.tensordot(view.context.T, total, 1)
    else:
        total = total.clone()  # for a single step it may be a view, and sums are changed in place
    factors.sums.add(changed, total)
