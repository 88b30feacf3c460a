"""The transmission of synapses in a layer that learns, as a text of Brian2 and as numbers."""

from __future__ import annotations

import numpy as np

from neurorules.brian2_steps.case import Case
from neurorules.brian2_steps.expression_texts import Place, Writer
from neurorules.language.rules import Rule
from neurorules.language.transmission import transmission_of
from neurorules.network.layer import Layer
from neurorules.network.transmission import evaluated_numbers


def transmitted_text(case: Case, layer: Layer) -> str:
    """The expression by which a synapse multiplies a spike.

    Args:
        case: the network, whose rule may say what synapses transmit.
        layer: the postsynaptic layer.

    Returns:
        An expression of the synapse, "w" if it transmits its weight.
    """
    return "w" if case.learning is None or layer.role != "hidden" else text_of(case.learning.rule)


def text_of(rule: Rule) -> str:
    """The expression by which a synapse that learns by a rule multiplies a spike, "w" if it transmits its weight."""
    text = transmission_of(rule.name, rule.transmits, rule.constants)
    return "w" if text is None else Writer(text, Place(None, normalised=False), "_post", 0).text(text.expression)


def transmitted_weights(case: Case, layer: Layer, weights: np.ndarray) -> np.ndarray:
    """The numbers by which synapses multiply a spike.

    Args:
        case: the network, whose rule may say what synapses transmit.
        layer: the postsynaptic layer.
        weights: the weight of each synapse, (n,).

    Returns:
        One number for each synapse, (n,).
    """
    if case.learning is None or layer.role != "hidden":
        return weights
    return evaluated_numbers(case.learning.rule, weights)
