"""A trained network on a device: its normalisation folded into weights and biases, its weights programmed once."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from neurorules.contracts.device_chain import chain
from neurorules.exchange.folding import fold
from neurorules.language.errors import UserError
from neurorules.network.model import Learned
from neurorules.network.transmission import as_transmitted
from neurorules.torch_path.training.learner import Learner
from neurorules.torch_path.training.store import Store

SETTLED_BY_NET = ("neuron", "norm", "readout", "readout_neuron", "connection", "init", "hardware")
"""The settings that the network determines, and that of the device, which is programmed after the weights."""


def folded(learner: Learner, settings: dict[str, Any]) -> Learner:
    """A learner of the same function without normalisation, as a chip can run it.

    Args:
        learner: a trained learner without a device; it is not changed.
        settings: the settings that it was made with, by keyword.

    Returns:
        A learner whose weights and biases include the running averages.

    Raises:
        UserError: the net has learned on a device, or predicts by prototypes, which have a normalisation of their own.
    """
    model = learner.model
    if learner.hardware is not None:
        raise UserError(
            "the run learned on a device model, whose weights are that device's. Give a run with --hardware none"
        )
    if model.rule.predict != "readout" or model.rule.score_phase != "input":
        raise UserError(
            f"rule '{model.rule.name}' predicts from more than one pass, and a chip is handed the read-out of one. Use "
            f"predict=readout"
        )
    if any(layer.normalisation is not None and entry.connection.recurrent
           for layer in model.network.layers for entry in layer.inputs):  # fmt: skip
        raise UserError("a normalised layer with recurrent weights cannot be folded here. Train it with --norm none")
    network = replace(model.network, layers=tuple(replace(layer, normalisation=None) for layer in model.network.layers))
    own = {name: value for name, value in settings.items() if name not in SETTLED_BY_NET}
    bare = Learner(network, **own)
    rule = replace(bare.model.rule, transmits=None)  # the weights are what synapses transmit
    bare.model = replace(bare.model, rule=rule)
    trained = as_transmitted(model, learner.learned)
    parameters = dict(trained.parameters)
    for layer in model.network.layers:
        numbers = fold(layer, trained)
        parameters |= {layer.weight_name(entry): numbers.weights[entry.name] for entry in layer.inputs}
        parameters[layer.bias_name] = numbers.bias
    bare.learned = Learned({name: value.clone() for name, value in parameters.items()}, {}, {}, {}, {})
    bare.store.parameters = bare.learned.parameters
    bare.encoder = learner.encoder
    return bare


def on_device(bare: Learner, hardware: str) -> Learner:
    """Program a device with a learner's weights, without changing those of the original learner.

    Args:
        bare: a result of `folded`, which becomes the learner on the device.
        hardware: device models joined by +.

    Returns:
        The same learner, whose network now runs on the device.

    Raises:
        UserError: the device is unknown, or cannot hold the weights or run the neurons.
    """
    parameters = {name: value.clone() for name, value in bare.learned.parameters.items()}
    bare.learned = replace(bare.learned, parameters=parameters)
    bare.hardware = chain(hardware)
    bare.store = Store(bare.model, parameters, bare.optimiser, frozenset(), bare.hardware, bare.seed)
    bare.store.on_hardware(bare.model)  # this refuses neurons that the device does not have
    return bare
