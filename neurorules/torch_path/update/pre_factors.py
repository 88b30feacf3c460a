"""Presynaptic factors of texts, and their products with postsynaptic factors at every synapse."""

from __future__ import annotations

import torch
from torch import Tensor

from neurorules.contracts.series import Series
from neurorules.language.expressions import Expression, parse
from neurorules.network.layer import Input
from neurorules.network.products import Group, value_of
from neurorules.torch_path.update.eligibility import forward_eligibility
from neurorules.torch_path.update.local_view import LocalView
from neurorules.torch_path.update.neuron_traces import Neurons

CENTRED_SPIKES = parse("S_pre - mean_pre")
"""The presynaptic factor that is split in two: the mean takes one row of products, and the spikes stay sparse."""


def pre_factor(view: LocalView, entry: Input, group: Group) -> Series | None:
    """The presynaptic factor of a group of products. The running mean of `S_pre - mean_pre` is left out of it.

    Args:
        view: the local view on which the texts are evaluated.
        entry: the connection.
        group: the group of a text.

    Returns:
        The factor, (T, B, *pre) or constant (B, *pre); None if the eligibility needs one trace per synapse.

    Raises:
        UserError: an eligibility needs all steps at once.
    """
    spikes = view.activity.pre[entry.name]
    if group.eligible:
        if view.whole:
            return spikes
        eligibility = forward_eligibility(view, entry, spikes)
        return None if eligibility is None else Series.of(eligibility, entry.pre_shape)
    return spikes if group.pre == CENTRED_SPIKES else pre_value(view, entry, group.pre)


def pre_value(view: LocalView, entry: Input, expression: Expression | None) -> Series:
    """Evaluate a whole presynaptic factor, including running means.

    Args:
        view: the local view on which the texts are evaluated.
        entry: the connection.
        expression: the expression of the factor; None for 1.

    Returns:
        The value, (T, B, *pre) or constant (B, *pre).
    """
    spikes = view.activity.pre[entry.name]
    if expression is None:
        return Series(torch.ones_like(spikes.values if spikes.constant else spikes.values[0]), True)
    mean = view.activity.pre_mean.get(entry.name)
    mean = spikes.values.new_zeros(()) if mean is None else mean
    names: dict[str, Tensor | float] = {"mean_pre": mean.expand(1, *entry.pre_shape), **view.constants}
    names |= Neurons(view, f"pre.{entry.name}", spikes, None, view.layer.neuron.psi).names_of(expression, "_pre")
    value = value_of(expression, names, view.layer.neuron.psi, lambda a: a)
    if value is spikes.values:
        return spikes
    if value.ndim == len(entry.pre_shape) + 1:  # running means alone are the same for each row
        value = value.expand(spikes.lead[-1], *entry.pre_shape)
    return Series.of(value, entry.pre_shape)


def correlate(view: LocalView, entry: Input, w: Tensor, post: Series, pre: Series) -> Tensor:
    """The change of a connection by two factors.

    If only one of them varies in time, it is summed first, which is exact; activity is not if the connection is not
    linear in it.

    Args:
        view: the local view on which the texts are evaluated.
        entry: the connection.
        w: its weights.
        post: postsynaptic factor, (T, B, *shape) or constant (B, *shape).
        pre: presynaptic factor, (T, B, *pre) or constant (B, *pre).

    Returns:
        Sum over steps and rows of post factor times pre factor, of the shape of `w`.
    """
    steps = view.activity.steps
    if post.constant and not pre.constant:
        if entry.connection.linear:
            return entry.connection.correlate(w, post.values, pre.total(steps))
        return entry.connection.correlate(w, post.over_time(steps).flatten(0, 1), pre.rows())
    if pre.constant:
        return entry.connection.correlate(w, post.total(steps), pre.values)
    return entry.connection.correlate(w, post.rows(), pre.rows())


def correlate_mean(view: LocalView, entry: Input, w: Tensor, post: Series) -> Tensor:
    """The result that `correlate` would have if each row sent the running mean of the inputs at every step; it takes
    one row of products.

    Args:
        view: the local view on which the texts are evaluated.
        entry: the connection.
        w: its weights.
        post: postsynaptic factor, (T, B, *shape) or constant (B, *shape).

    Returns:
        The change, of the shape of `w`.
    """
    total = post.total(view.activity.steps).sum(0, keepdim=True)
    return entry.connection.correlate(w, total, view.activity.pre_mean[entry.name].expand(1, *entry.pre_shape))
