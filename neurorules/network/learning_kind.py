"""The state that a connection has to keep until its rule can change it, read off the rule's texts."""

from __future__ import annotations

from neurorules.contracts.device_account import Kind
from neurorules.language.expressions import Expression, names_in
from neurorules.network.layer import Layer
from neurorules.network.model import Model
from neurorules.network.products import Group

HEAVIEST: tuple[Kind, ...] = ("eligibility", "sum", "factorised", "spike")
"""Kinds of products; a text with several remembers what the first of these does."""
SPIKE_NAMES = ("S_pre", "S_post")
CONSTANT = {"p_post", "y_post", "kept_post"}
"""What a text reads of the postsynaptic neuron that stays the same through a trial, beside a third factor that comes at
its end."""


def kind_of(model: Model, layer: Layer) -> Kind:
    """The kind of rule that changes the weights of a layer's connections.

    Args:
        model: the rule on its network.
        layer: whose weights change.

    Returns:
        backward where the signal needs the history of every step; else what the heaviest product of the texts
        remembers: a trace in each synapse (eligibility), a sum in each synapse, because the third factor comes later
        (sum), traces of neurons, because only the presynaptic factor changes with time (factorised), or nothing,
        because weights change at spikes (spike). none for weights that do not learn.
    """
    if model.signal is not None and "history" in model.signal.needs:
        return "backward"
    kinds = {
        _of_product(group, model, layer, text.reads_m)
        for text in model.texts
        if text.plasticity.role == layer.role and text.plasticity.parameter == "w"
        for group in text.groups
    }
    return next((kind for kind in HEAVIEST if kind in kinds), "none")


def _of_product(group: Group, model: Model, layer: Layer, reads_m: bool) -> Kind:
    """The state that one product has to keep; with a reset, the eligibility of a membrane is each synapse's own."""
    if group.eligibility is not None or (group.eligible and layer.neuron.spiking):
        return "eligibility"
    late = reads_m and _known(model, layer) != "step"
    post = set(_names(group.post)) - CONSTANT - ({"m_post"} if late else set())
    if not any(name.endswith("_post") for name in post):
        return "factorised"
    at_spikes = any(name in SPIKE_NAMES for name in (*_names(group.pre), *post))
    if not at_spikes:
        return "eligibility"
    return "sum" if late else "spike"


def _known(model: Model, layer: Layer) -> str:
    """Say when the third factor of a step is there; that of the read-out is the output error."""
    if layer.role == "readout" or model.signal is None:
        return "step" if model.errs_each_step else "trial"
    return model.third_factor_known


def _names(expression: Expression | None) -> tuple[str, ...]:
    return () if expression is None else tuple(names_in(expression))
