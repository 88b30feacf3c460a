"""Which activity a trial stores at every step, and which is computed again by those who read it."""

from __future__ import annotations

from collections.abc import Iterator

from neurorules.language.expressions import Name
from neurorules.network.layer import Layer
from neurorules.network.model import Model
from neurorules.network.post_forms import scanned_psi
from neurorules.network.products import Group
from neurorules.torch_path.forward.run_layer import Variable
from neurorules.torch_path.forward.summed import sums_first
from neurorules.torch_path.update.pre_factors import CENTRED_SPIKES


def reads(model: Model, phase: str, layer: Layer, training: bool, variable: Variable) -> bool:
    """Whether anything but fused scans reads a layer's activity at every step, so that it is worth storing.

    A wrong answer costs time and changes no more than last bits.

    Args:
        model: network, rule and signal.
        phase: the name of the phase.
        layer: the layer.
        training: whether the layer learns from its activity.
        variable: its membranes, its spikes, or the output of a read-out.

    Returns:
        True if anything does.
    """
    if model.chip is not None or layer.neuron.learns:
        return True
    key = phase, layer.name, training, variable
    if key not in model.answers:
        rule = {"v": _reads_membranes, "spikes": _reads_spikes, "output": _reads_output}[variable]
        model.answers[key] = rule(model, phase, layer, training)
    return model.answers[key]


def _reads_membranes(model: Model, phase: str, layer: Layer, training: bool) -> bool:
    if not training:
        return False
    if model.signal is not None and model.signal.every not in (None, "spikes"):
        return True
    return not all(_is_fused(group, layer) for group in _groups(model, phase, layer))


def _reads_spikes(model: Model, phase: str, layer: Layer, training: bool) -> bool:
    """The spikes of a hidden layer; those who count them without learning read each of them."""
    signal = model.signal
    if not training or model.teaches_from_above or (signal is not None and signal.every is not None):
        return True
    if _reads_membranes(model, phase, layer, training):
        return True
    layers = model.network.layers
    here = next(index for index, other in enumerate(layers) if other is layer)
    readers = [reader for reader in layers if any(entry.source == here for entry in reader.inputs)]
    return not all(
        sums_first(reader) and not _reads_output(model, phase, reader, training) for reader in readers
    )  # fmt: skip


def _reads_output(model: Model, phase: str, layer: Layer, training: bool) -> bool:
    """The output of a read-out that has no memory, where its texts need more than the sum of what it reads."""
    if model.steps_apart or (model.signal is not None and model.signal.teaches_readout):
        return True
    return training and not all(_sums_over_time(group, layer) for group in _groups(model, phase, layer))


def _groups(model: Model, phase: str, layer: Layer) -> Iterator[Group]:
    """The groups of products in the texts that hold for a layer in a phase."""
    for text in model.texts_of(phase):
        if text.plasticity.role == layer.role:
            yield from text.groups


def _is_fused(group: Group, layer: Layer) -> bool:
    """Whether scans compute the post factor of a group."""
    norm = layer.normalisation
    if group.traced is not None:
        return group.traced.form.factor == "one" and layer.psi is not None
    if group.form is None or scanned_psi(group.form, layer.psi) is None:
        return False
    if group.eligibility is not None and (group.cascade is None or layer.psi is None):
        return False
    return not (group.eligible and group.form.through) and (norm is None or not norm.reads_batch)


def _sums_over_time(group: Group, layer: Layer) -> bool:
    """Whether the post factor of a group is constant in time, and its presynaptic factor is the spikes."""
    if group.form is None or group.eligibility is not None or group.form.factor != "one":
        return False
    if group.eligible and not layer.forgets:
        return False
    return group.eligible or group.pre in (None, CENTRED_SPIKES, Name("S_pre"))
