"""The word by which a user names a neuron, for messages that would otherwise name a class."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from neurorules.contracts.neuron import Neuron
from neurorules.language.errors import UserError
from neurorules.neurons import NEURONS
from neurorules.neurons._leaky import LeakyIntegrator
from neurorules.neurons._refractory import Refractory


def word_of(neuron: Neuron[Any]) -> str:
    """The first word of `--neuron` that makes such a neuron; the name of its class where no word does."""
    if isinstance(neuron, Refractory):
        return f"{word_of(neuron.neuron)}:refractory={neuron.period}"
    if isinstance(neuron, LeakyIntegrator):  # one class has two words
        return "if" if not isinstance(neuron.beta, Tensor) and neuron.beta == 1 else "lif"
    for name in NEURONS.names():
        try:
            if type(NEURONS.make(name)) is type(neuron):
                return name
        except UserError:  # an entry whose options have no defaults
            continue
    return type(neuron).__name__
