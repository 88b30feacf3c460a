"""Which activity a trial stores at every step, and which is computed again by those who read it."""

from __future__ import annotations

from neurorules.network.layer import Layer
from neurorules.network.model import Model
from neurorules.network.post_forms import scanned_psi
from neurorules.network.products import Group


def reads_membranes(model: Model, phase: str, layer: Layer, training: bool) -> bool:
    """Whether anything but fused scans reads the membranes of a layer at every step, so that they are worth storing.

    A wrong answer costs time and changes no result.

    Args:
        model: network, rule and signal.
        phase: the name of the phase.
        layer: the layer.
        training: whether the layer learns from its activity.

    Returns:
        True if anything does.
    """
    if model.chip is not None or layer.neuron.learns:
        return True
    if not training:
        return False
    if model.signal is not None and model.signal.every not in (None, "spikes"):
        return True
    texts = (text for text in model.texts_of(phase) if text.plasticity.role == layer.role)
    return not all(_is_fused(group, layer) for text in texts for group in text.groups)


def _is_fused(group: Group, layer: Layer) -> bool:
    """Whether scans compute the post factor of a group."""
    norm = layer.normalisation
    if group.form is None or group.eligibility is not None or scanned_psi(group.form, layer.psi) is None:
        return False
    return not (group.eligible and group.form.through) and (norm is None or not norm.reads_batch)
