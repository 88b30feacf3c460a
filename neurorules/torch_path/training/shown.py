"""The text of a learner in one line, and its table in a notebook."""

from __future__ import annotations

from typing import Any

from neurorules.contracts.neuron import Neuron
from neurorules.network.description import PARTS, text_of_neuron
from neurorules.network.network import count_parameters
from neurorules.runs.shown.markup import table

COLUMNS = ("layer", "neurons", "neuron", "reads", "parameters")


Learner = Any
"""The learner, which shows itself by these functions."""


def as_line(learner: Learner) -> str:
    """A learner in one line: its rule, its layers, its size."""
    network = learner.model.network
    layers = ", ".join(f"{a.name} {_size(a.shape)}" for a in network.layers)
    size = f"{count_parameters(learner.learned.parameters)} parameters, {learner.steps} steps, on {learner.device}"
    return f"<Learner {learner.model.rule.name}: input {_size(network.input_shape)}, {layers}; {size}>"


def as_html(learner: Learner) -> str:
    """A table with a row for each layer, as a notebook shows it."""
    network, frozen = learner.model.network, learner.store.frozen
    rows = []
    for layer in network.layers:
        own = {name: value for name, value in learner.learned.parameters.items() if name.startswith(f"{layer.name}.")}
        own = {name: value for name, value in own.items() if name in learner.model.parameter_names}
        fixed = count_parameters({name: value for name, value in own.items() if name in frozen})
        count = f"{count_parameters(own)}" + (f", {fixed} of them fixed" if fixed else "")
        reads = ", ".join(network.name_of(one.source) for one in layer.inputs)
        rows.append((layer.name, _size(layer.shape), _words(layer.neuron), reads, count))
    titles = (
        f"{learner.model.rule.name}: input {_size(network.input_shape)}, {learner.steps} steps, on {learner.device}"
    )
    return table(COLUMNS, rows, titles)


def _words(neuron: Neuron[Any]) -> str:
    """A neuron as the text that makes it; one that no text describes whole by the name of its class."""
    return text_of_neuron(neuron) if type(neuron) in PARTS.values() else type(neuron).__name__


def _size(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape))
