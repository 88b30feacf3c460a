"""What learning costs beside running the network: bytes kept, sent and read for one sample; energy where known."""

from __future__ import annotations

from math import prod
from typing import NamedTuple

from torch import Tensor

from neurorules.contracts.device import DEVICES, Metered
from neurorules.contracts.series import Series
from neurorules.language.rules import Phase
from neurorules.network.model import Learned, Model
from neurorules.torch_path.trial import allowance

NUMBER = 4
"""Bytes of a float32 number, or of a label."""


class LearningBytes(NamedTuple):
    """For one sample, hidden layers alone: bytes kept until learning reads them, sent to layers, read as weights."""

    kept: float
    sent: float
    read: float

    @property
    def total(self) -> float:
        """All three."""
        return self.kept + self.sent + self.read


def learning_bytes(
    model: Model, learned: Learned, drive: Series, steps: int, labels: Tensor, batch_size: int
) -> LearningBytes:
    """What the signal's `needs` and phases say that learning moves. The definitions: docs/comparing.md.

    Args:
        model, learned: what learns.
        drive, labels: samples, their number not that of classes; only shapes count.
        steps: T.
        batch_size: samples of a trial, which share class prototypes.
    """
    needs = frozenset() if model.signal is None else model.signal.needs
    neurons = sum(prod(layer.shape) for layer in model.network.hidden)
    times = steps if "history" in needs else 1
    learns = any(text.plasticity.role == "hidden" for text in model.texts)
    kept = neurons * (steps if "history" in needs else len(_summed(model)) if learns else 0)
    passes = sum(_pass(model, learned, phase, drive, steps, labels, batch_size) for phase in model.rule.phases[1:])
    sent = NUMBER * _sent(model, neurons, times) + passes
    return LearningBytes(float(NUMBER * kept), float(sent), NUMBER * _read(model, times))


def _summed(model: Model) -> tuple[str, ...]:
    """Phases of which one number a neuron stays until the layer learns."""
    return ("input",) if model.signal is None else model.signal.phases


def _sent(model: Model, neurons: int, times: int) -> int:
    """Numbers that reach hidden layers from outside for learning's sake, phases of their own left out."""
    needs = frozenset() if model.signal is None else model.signal.needs
    layers, classes = len(model.network.hidden), model.network.classes
    if "above" in needs:
        return classes + neurons * times
    if "second_pass" in needs:
        return classes  # the error enters once, at the input
    return layers * (classes * ("output_error" in needs) + ("target" in needs))


def _read(model: Model, times: int) -> float:
    """Weights that learning alone reads: those above backwards, fixed ones, a layer's own read-out there and back."""
    needs = frozenset() if model.signal is None else model.signal.needs
    network, classes = model.network, model.network.classes
    neurons = sum(prod(layer.shape) for layer in network.hidden)
    above = sum(
        prod(entry.connection.weight_shape(entry.pre_shape))
        for layer, entry, _ in network.weights()
        if entry.source >= 0
    )
    found = 0.0
    if "weight_transport" in needs or ("fixed_feedback" in needs and "above" in needs):
        found += above * times
    elif "second_pass" in needs:
        found += classes * prod(network.input_shape)
    elif "fixed_feedback" in needs:
        found += neurons * (classes if "output_error" in needs else 1)
    if "weight_sign" in needs:
        found += above * times / (8 * NUMBER)
    if "local_readout" in needs:
        found += 2 * classes * neurons
    return found


def _pass(
    model: Model, learned: Learned, phase: Phase, drive: Series, steps: int, labels: Tensor, batch_size: int
) -> float:
    """Bytes of one more pass: a bit a neuron and step where it spikes, else a number a neuron."""
    if model.signal is None:
        return 0.0
    error = drive.values.new_zeros(len(labels), model.network.classes)
    found = allowance.drive(model, learned, phase.name, drive, error, labels)
    if found.input is not None:
        rows = found.input.values.shape[0 if found.input.constant else 1]
    elif found.injected is not None:
        rows = len(found.injected)
    else:
        assert found.offset is not None
        rows = len(found.offset.patterns if found.offset.shares is None else found.offset.shares)
    share = 1.0 if rows == len(labels) else rows / batch_size
    hidden = model.network.hidden
    bits = {layer.name: steps if layer.neuron.spiking and not phase.linear else 8 * NUMBER for layer in hidden}
    return share * sum((prod(layer.shape) * bits[layer.name] / 8 for layer in hidden), 0.0)


def energy_pJ(hardware: str, spikes: float, synops: float) -> float | None:
    """Energy of one sample on the device model that says it; None where none does.

    Args:
        hardware: device models joined by +, or none.
        spikes, synops: a sample.
    """
    for text in [] if hardware == "none" else hardware.split("+"):
        device = DEVICES.make(text.strip())
        if isinstance(device, Metered):
            return float(device.energy_pJ(spikes, synops))
    return None
