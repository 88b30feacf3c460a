"""The state that a connection has to store until its rule can change it, derived from the rule's texts.

`neurorules deploy` and reports use it to estimate the memory traffic of learning.
"""

from __future__ import annotations

from neurorules.contracts.device_account import Kind
from neurorules.language.expressions import Expression, names_in
from neurorules.network.layer import Layer
from neurorules.network.model import Model
from neurorules.network.products import Group

HEAVIEST: tuple[Kind, ...] = ("eligibility", "sum", "factorised", "spike")
"""Kinds of products, from the one with the largest state; the first one that occurs in a text decides."""
SPIKE_NAMES = ("S_pre", "S_post")
CONSTANT = {"p_post", "y_post", "kept_post"}
"""Postsynaptic variables that are constant during a trial, beside a third factor that is known at its end."""


def kind_of(model: Model, layer: Layer) -> Kind:
    """Find the kind of state that the rule needs to change the weights of a layer.

    Args:
        model: the rule on its network.
        layer: the layer whose weights change.

    Returns:
        "backward" if the signal needs the history of every step. Otherwise the product with the largest state decides:
        "eligibility", a trace in each synapse; "sum", a sum in each synapse, because the third factor comes later;
        "factorised", traces of neurons, because only the presynaptic factor changes with time; "spike", nothing,
        because weights change at spikes. "none" for weights that do not learn.
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
    """The kind of state for one product. With a reset, the eligibility of a membrane differs between synapses."""
    if group.eligibility is not None or (group.eligible and layer.neuron.spiking):
        return "eligibility"
    late = reads_m and _time_of_m(model, layer) != "step"
    post = set(_names(group.post)) - CONSTANT - ({"m_post"} if late else set())
    if not any(name.endswith("_post") for name in post):
        return "factorised"
    at_spikes = any(name in SPIKE_NAMES for name in (*_names(group.pre), *post))
    if not at_spikes:
        return "eligibility"
    return "sum" if late else "spike"


def _time_of_m(model: Model, layer: Layer) -> str:
    """When the third factor of a step is known; that of the read-out is the output error."""
    if layer.role == "readout" or model.signal is None:
        return "step" if model.errs_each_step else "trial"
    return model.third_factor_timing


def _names(expression: Expression | None) -> tuple[str, ...]:
    return () if expression is None else tuple(names_in(expression))
