"""Descriptions of networks that can be stored in a file and read again without any code of the user's."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any

from torch import Tensor

from neurorules.connections.conv2d import Conv2d
from neurorules.connections.conv2d_grouped import Conv2dGrouped
from neurorules.connections.conv2d_pooled import Conv2dPooled
from neurorules.connections.dense import Dense
from neurorules.connections.recurrent import Recurrent
from neurorules.connections.recurrent_conv2d import RecurrentConv2d
from neurorules.connections.recurrent_delayed import RecurrentDelayed
from neurorules.connections.recurrent_single import RecurrentSingle
from neurorules.contracts.neuron import Neuron
from neurorules.language.errors import UserError
from neurorules.language.options import write_named
from neurorules.network.layer import Input, Layer
from neurorules.network.network import Network
from neurorules.neurons._alpha import AlphaIntegrator
from neurorules.neurons._leaky import LeakyIntegrator
from neurorules.neurons._learned_numbers import LearningLeaky, LearningSynaptic
from neurorules.neurons._resting import RestingIntegrator
from neurorules.neurons._synaptic import SynapticIntegrator
from neurorules.neurons.leaky_readout import LeakyReadout
from neurorules.neurons.rate import Rate
from neurorules.normalisations.batch import Batch, WeightedBatch
from neurorules.surrogates import SURROGATES
from neurorules.transforms.dropout import Dropout
from neurorules.transforms.flatten import Flatten
from neurorules.transforms.one_row import OneRow
from neurorules.transforms.pool import Pool

PARTS: Mapping[str, type[Any]] = {
    kind.__name__: kind
    for kind in (
        Network, Layer, Input, Dense, Conv2d, Conv2dGrouped, Conv2dPooled,
        Recurrent, RecurrentConv2d, RecurrentDelayed, RecurrentSingle, Dropout, Flatten, OneRow, Pool,
        Batch, WeightedBatch, LeakyIntegrator, SynapticIntegrator, LearningLeaky, LearningSynaptic, AlphaIntegrator,
        LeakyReadout, RestingIntegrator, Rate, *SURROGATES.values(),
    )
}  # fmt: skip
"""The classes that a description may contain, by their names in the file."""
KIND, NUMBERS = "is", "numbers"
"""Keys in a description: for a part, the name of its class; for a tensor, its name among the numbers."""


def words_of(network: Network) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Describe a network by JSON values and tensors.

    Args:
        network: a network whose parts are all listed in `PARTS`.

    Returns:
        The description as JSON values, and the tensors of numbers that differ between neurons, by name.

    Raises:
        KeyError: a part is not listed in `PARTS`.
    """
    numbers: dict[str, Tensor] = {}
    words: dict[str, Any] = _words(network, "net", numbers)
    return words, numbers


def _words(value: Any, place: str, numbers: dict[str, Tensor]) -> Any:
    if isinstance(value, Tensor):
        numbers[place] = value
        return {NUMBERS: place}
    if is_dataclass(value) and not isinstance(value, type):
        name = next(name for name, kind in PARTS.items() if type(value) is kind)
        parts = {field.name: _words(getattr(value, field.name), f"{place}.{field.name}", numbers)
                 for field in fields(value)}  # fmt: skip
        return {KIND: name, **parts}
    if isinstance(value, list | tuple):
        return [_words(one, f"{place}.{index}", numbers) for index, one in enumerate(value)]
    return value


def network_of(words: Mapping[str, Any], numbers: Mapping[str, Tensor]) -> Network:
    """Build the network from its description.

    Args:
        words, numbers: as `words_of` gave them.

    Returns:
        The network.

    Raises:
        UserError: the description is not that of a network of this version.
    """
    try:
        network = _part(words, numbers)
    except (KeyError, TypeError, AttributeError) as error:
        raise UserError(
            f"the description of the net is damaged, or of another version ({type(error).__name__}: {error}). Restore "
            f"it, or train again with --force"
        ) from None
    if not isinstance(network, Network):
        raise UserError("the description of the net describes none. Restore it, or train again with --force")
    return network


def _part(words: Any, numbers: Mapping[str, Tensor]) -> Any:
    if isinstance(words, Mapping) and NUMBERS in words:
        return numbers[words[NUMBERS]]
    if isinstance(words, Mapping):
        arguments = {name: _part(value, numbers) for name, value in words.items() if name != KIND}
        return PARTS[words[KIND]](**arguments)
    if isinstance(words, list):
        return tuple(_part(one, numbers) for one in words)
    return words


def digest_of(words: Mapping[str, Any], numbers: Mapping[str, Tensor], others: object = None) -> str:
    """Hash the description of a network.

    Args:
        words, numbers: as `words_of` gave them.
        others: further properties of the net, as JSON values.

    Returns:
        Ten hex digits, the same for the same description.
    """
    digest = hashlib.sha256(json.dumps([words, others], sort_keys=True).encode())
    for name in sorted(numbers):
        digest.update(f"{name}{tuple(numbers[name].shape)}".encode())
        digest.update(numbers[name].detach().cpu().double().contiguous().numpy().tobytes())
    return digest.hexdigest()[:10]


def line_of(network: Network) -> str:
    """Summarise the layers of a network in one line, such as "input 1x8x8, hidden1 48 lif, readout 10
    leaky_readout"."""
    pieces = [f"input {_size(network.input_shape)}"]
    for index, layer in enumerate(network.layers):
        reads = [e.source for e in layer.inputs if not e.connection.recurrent and e.source != index - 1]
        marks = ["recurrent"] if any(e.connection.recurrent for e in layer.inputs) else []
        marks += [f"reads {'input' if one < 0 else network.layers[one].name}" for one in reads]
        marks += [] if layer.normalisation is None else ["batch normalisation"]
        relays = layer.role == "hidden" and isinstance(layer.neuron, LeakyReadout) and layer.neuron.beta == 0
        neuron = "current" if relays else text_of_neuron(layer.neuron).partition(":")[0]
        pieces.append(f"{layer.name} {_size(layer.shape)} {neuron}" + (f" ({', '.join(marks)})" if marks else ""))
    return ", ".join(pieces)


def _size(shape: tuple[int, ...]) -> str:
    return "x".join(map(str, shape))


def text_of_neuron(neuron: Neuron[Any]) -> str:
    """The most similar registered neuron as a text; numbers that differ between neurons are replaced by their means.

    Args:
        neuron: a neuron whose class is listed in `PARTS`.

    Returns:
        A text such as "lif:beta=0.9:v_threshold=1.0:reset=subtract:reset_delay=true:surrogate=atan".

    Raises:
        KeyError: its class is not listed there.
    """
    if isinstance(neuron, Rate):
        return write_named("rate", {"activation": neuron.activation})
    if isinstance(neuron, LeakyReadout):
        return write_named("leaky_readout", {"beta": neuron.beta})
    if not isinstance(neuron, LeakyIntegrator | SynapticIntegrator | AlphaIntegrator):
        raise KeyError(type(neuron).__name__)
    kind = next(name for name, kind in SURROGATES.items() if type(neuron.surrogate) is kind)
    surrogate = write_named(kind, vars(neuron.surrogate))
    threshold = neuron.scale if isinstance(neuron, RestingIntegrator) else neuron.v_threshold
    shared = {
        "beta": _mean(neuron.beta), "v_threshold": _mean(threshold), "reset": neuron.reset,
        "reset_delay": isinstance(neuron, AlphaIntegrator) or neuron.reset_delay, "surrogate": surrogate,
    }  # fmt: skip
    if isinstance(neuron, SynapticIntegrator | AlphaIntegrator):
        return write_named("cuba_lif", {"alpha": _mean(neuron.alpha), **shared})
    return write_named("lif", shared)


def _mean(value: float | Tensor) -> float:
    return round(float(value.double().mean()), 6) if isinstance(value, Tensor) else value
