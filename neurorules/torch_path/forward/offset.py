"""Constant activity that a phase adds to the input: its current in the first layer, and how texts see it."""

from __future__ import annotations

import torch
from torch import Tensor

from neurorules.contracts.phase_drive import Offset
from neurorules.contracts.series import Series
from neurorules.language.errors import UserError
from neurorules.network.layer import Layer, Masks, arrive
from neurorules.network.network import Parameters


def offset_current(layer: Layer, parameters: Parameters, offset: Offset, masks: Masks) -> Tensor:
    """The current that an offset brings to a layer through its first connection.

    Args:
        layer: the first one of the network.
        parameters: the network's.
        offset: the constant activity.
        masks: dropout masks.

    Returns:
        The raw current, before any normalisation, (B, *shape).

    Raises:
        UserError: the connection is dynamic, so that its transmission depends on earlier spikes, and a constant
            activity has none.
    """
    entry = layer.inputs[0]
    if entry.connection.efficacy is not None:
        raise UserError(
            f"layer '{layer.name}' is given a constant activity beside its input, and its connection transmits spikes "
            f"by those before. Use --connection dense, or a rule that adds nothing to the input"
        )
    w = parameters[layer.weight_name(entry)]
    if offset.shares is not None and all(transform.linear for transform in entry.transforms):
        patterns = arrive(layer, entry, Series(offset.patterns, True), masks)
        return torch.tensordot(offset.shares, entry.connection.current(w, patterns.values), 1)
    rows = arrive(layer, entry, Series(offset.rows(), True), masks)
    return entry.connection.current(w, rows.values)


def with_offset(layer: Layer, offset: Offset, pre: dict[str, Series], masks: Masks) -> dict[str, Series]:
    """The input of the first connection as texts read it, with the offset added if both are constant and the layer is
    dense.

    Args:
        layer: the first one of the network.
        offset: the constant activity.
        pre: the activity that reaches the connection of each input, by input.
        masks: dropout masks.

    Returns:
        By the name of the first input, the sum of input and offset, constant (B, *pre); empty if texts read the input
        without the offset.
    """
    entry = layer.inputs[0]
    if not offset.dense or entry.name not in pre or not pre[entry.name].constant:
        return {}
    rows = arrive(layer, entry, Series(offset.rows(), True), masks)
    return {entry.name: Series(pre[entry.name].values + rows.values, True)}
