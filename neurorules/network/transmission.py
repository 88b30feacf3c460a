"""The weights that synapses transmit, where a rule says that they are a text of what it changes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from neurorules.language.rules import Rule
from neurorules.language.transmission import transmission_of
from neurorules.network.layer import Layer
from neurorules.network.model import Learned, Model
from neurorules.network.network import Parameters
from neurorules.network.products import value_of


def transmitted(rule: Rule, layers: Iterable[Layer], parameters: Parameters) -> Parameters:
    """The parameters that layers compute with: what the synapses of hidden layers transmit stands for their weights.

    Args:
        rule: the rule.
        layers: the layers, whose weights are replaced; those of a read-out stay.
        parameters: weights and all other parameters, by full name; not modified.

    Returns:
        The parameters; the same object if synapses transmit their weights.
    """
    if rule.transmits is None:
        return parameters
    names = [layer.weight_name(entry) for layer in layers if layer.role == "hidden" for entry in layer.inputs]
    return {**parameters, **{name: evaluated(rule, parameters[name]) for name in names}}


def evaluated(rule: Rule, weights: Tensor) -> Tensor:
    """The number that each synapse transmits of a spike.

    Args:
        rule: the rule.
        weights: of synapses of a hidden layer, of any shape.

    Returns:
        A number for each synapse, of the same shape; the weights themselves if the rule says nothing else.
    """
    text = transmission_of(rule.name, rule.transmits, rule.constants)
    if text is None:
        return weights
    value: Tensor = value_of(text.expression, {"w": weights, **rule.constants}, lambda v: v, lambda d: d)
    return value


def evaluated_numbers(rule: Rule, weights: np.ndarray) -> np.ndarray:
    """The number that each synapse transmits of a spike, for an array of weights.

    Args:
        rule: the rule.
        weights: of synapses of a hidden layer, of any shape.

    Returns:
        A number for each synapse, of the same shape.
    """
    return np.asarray(evaluated(rule, torch.from_numpy(weights)).numpy())


def as_transmitted(model: Model, learned: Learned) -> Learned:
    """Everything learned as a net without a rule needs it: its weights are what synapses transmit.

    Args:
        model: network and rule.
        learned: what the rule has changed; not modified.

    Returns:
        The same state with transmitted weights.
    """
    sent = transmitted(model.rule, model.network.layers, learned.parameters)
    return learned if sent is learned.parameters else replace(learned, parameters=sent)
