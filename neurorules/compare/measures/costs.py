"""The costs of learning in addition to inference: bytes stored, sent and read per sample, and energy if known."""

from __future__ import annotations

from collections.abc import Mapping
from math import prod
from typing import Any, NamedTuple

from jaxtyping import Shaped
from torch import Tensor

from neurorules.contracts.series import Series
from neurorules.language.rules import Phase
from neurorules.network.model import Learned, Model
from neurorules.torch_path.trial import allowance

NUMBER = 4
"""Number of bytes of a float32 number, or of a label."""


class LearningBytes(NamedTuple):
    """Bytes that learning moves for one sample, in hidden layers only.

    Args:
        storage: bytes that are stored until learning reads them.
        messages: bytes that are sent to layers.
        weights: bytes of weights that only learning reads.
    """

    storage: float
    messages: float
    weights: float

    @property
    def total(self) -> float:
        """The sum of the three numbers of bytes."""
        return self.storage + self.messages + self.weights


def learning_bytes(
    model: Model, learned: Learned, drive: Series, steps: int, labels: Shaped[Tensor, " B *targets"], batch_size: int
) -> LearningBytes:
    """Count the bytes that learning moves, by the `needs` and phases of the signal (docs/comparing.md).

    Args:
        model: the rule on its network.
        learned: its parameters and state.
        drive: (T, B, *input), or constant (B, *input), B not the number of classes; only its shape counts.
        steps: T.
        labels: class indices (B,).
        batch_size: number of samples of a trial, which share class prototypes.

    Returns:
        Bytes per sample.
    """
    needs = frozenset() if model.signal is None else model.signal.needs
    neurons = sum(prod(layer.shape) for layer in model.network.hidden)
    times = steps if "history" in needs else 1
    learns = any(text.plasticity.role == "hidden" for text in model.texts)
    state = neurons * (steps if "history" in needs else len(_summed(model)) if learns else 0)
    passes = sum(_pass(model, learned, phase, drive, steps, labels, batch_size) for phase in _passes(model))
    sent = NUMBER * _sent(model, neurons, times) + passes
    return LearningBytes(float(NUMBER * state), float(sent), NUMBER * _read(model, times))


def _summed(model: Model) -> tuple[str, ...]:
    """Names of the phases of which one number per neuron is stored until the layer learns."""
    return ("input",) if model.signal is None else model.signal.phases


def _passes(model: Model) -> list[Phase]:
    """The passes in addition to that of the samples that are needed for learning; a pass only for scores is left
    out.
    """
    rule = model.rule
    return [
        phase for phase in rule.phases[1:]
        if phase.name != rule.score_phase or phase.name == rule.error_phase or model.texts_of(phase.name)
    ]  # fmt: skip


def _sent(model: Model, neurons: int, times: int) -> int:
    """Count the numbers that are sent to hidden layers only for learning; additional phases are left out."""
    needs = frozenset() if model.signal is None else model.signal.needs
    layers, classes = len(model.network.hidden), model.network.classes
    if "above" in needs:
        return classes + neurons * times
    if "second_pass" in needs:
        return classes  # the error is sent once, to the input
    return layers * (classes * ("output_error" in needs) + ("target" in needs))


def _read(model: Model, times: int) -> float:
    """Count the weights that only learning reads: weights of layers above, backwards; fixed weights; and a layer's own
    read-out, in both directions.
    """
    needs = frozenset() if model.signal is None else model.signal.needs
    network, classes = model.network, model.network.classes
    neurons = sum(prod(layer.shape) for layer in network.hidden)
    above = sum(
        prod(afferent.connection.weight_shape(afferent.pre_shape))
        for layer, afferent, _ in network.weights()
        if afferent.source >= 0
    )
    count = 0.0
    if "weight_transport" in needs or ("fixed_feedback" in needs and "above" in needs):
        count += above * times
    elif "second_pass" in needs:
        count += classes * prod(network.input_shape)
    elif "fixed_feedback" in needs:
        count += neurons * (classes if "output_error" in needs else 1)
    if "weight_sign" in needs:
        count += above * times / (8 * NUMBER)
    if "local_readout" in needs:
        count += 2 * classes * neurons
    return count


def _pass(
    model: Model, learned: Learned, phase: Phase, drive: Series, steps: int, labels: Tensor, batch_size: int
) -> float:
    """Bytes of one more pass: one bit per neuron and step if the neurons spike, otherwise one number per neuron."""
    if model.signal is None:
        return 0.0
    error = drive.values.new_zeros(len(labels), model.network.classes)
    pass_drive = allowance.drive(model, learned, phase.name, drive, error, labels)
    if pass_drive.input is not None:
        rows = pass_drive.input.values.shape[0 if pass_drive.input.constant else 1]
    elif pass_drive.injected is not None:
        rows = len(pass_drive.injected)
    elif pass_drive.offset is not None:
        rows = len(pass_drive.offset.patterns if pass_drive.offset.shares is None else pass_drive.offset.shares)
    else:
        rows = len(labels)
    share = 1.0 if rows == len(labels) else rows / batch_size
    hidden = model.network.hidden
    bits = {layer.name: steps if layer.neuron.spiking and not phase.linear else 8 * NUMBER for layer in hidden}
    return share * sum((prod(layer.shape) * bits[layer.name] / 8 for layer in hidden), 0.0)


class Energies(NamedTuple):
    """The energy of one sample on a run's device; None if no device gives it.

    Args:
        running_pJ: the energy of running the network.
        learning_pJ: the additional energy of learning from the sample.
    """

    running_pJ: float | None
    learning_pJ: float | None


def energies_of(run: Mapping[str, Any]) -> Energies:
    """The energy of a sample, from a run's result.

    Args:
        run: a result.

    Returns:
        The energies of running and of learning that have a figure.
    """
    energy = run.get("energy")
    if not isinstance(energy, Mapping):
        return Energies(None, None)
    return Energies(energy["total"], energy["learning"]["total"])
