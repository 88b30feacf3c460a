"""The numbers of something that was trained in torch, as arrays for Brian2."""

from __future__ import annotations

import numpy as np

from neurorules.brian2_steps.case import LayerNorm
from neurorules.contracts.normalisation import first_current_statistics
from neurorules.network.layer import Layer
from neurorules.network.model import Learned, Model


def numbers_of(
    model: Model, learned: Learned, phase: str = "input"
) -> tuple[dict[str, np.ndarray], dict[str, LayerNorm]]:
    """Parameters by full name, and the constants of every normalised layer in one phase.

    Args:
        model: what was trained.
        learned: its state; running averages are read, not moved.
        phase: whose statistics apply.
    """
    parameters = {name: _array(value) for name, value in learned.parameters.items()}
    norms = {a.name: _norm(model, learned, a, phase) for a in model.network.layers if a.normalisation is not None}
    return parameters, norms


def _norm(model: Model, learned: Learned, layer: Layer, phase: str) -> LayerNorm:
    assert layer.normalisation is not None
    name = model.phase_statistics(phase, layer.name)

    def flat(value: object) -> np.ndarray:
        """One a neuron, also where the neurons of a map share it."""
        return np.broadcast_to(_array(value), layer.shape).reshape(-1)

    statistics = learned.current.get(name) or first_current_statistics(layer.shape, learned.parameters[layer.bias_name])
    centre = statistics.mean.value
    _, gain = layer.normalisation.forward(statistics, centre[None], False)
    means: dict[str, np.ndarray] = {}
    current = np.zeros(layer.shape)
    for entry in layer.inputs:
        if layer.centres_inputs and f"{name}.{entry.name}" in learned.pre:
            row = learned.pre[f"{name}.{entry.name}"].value.expand(entry.pre_shape)
            means[entry.name] = _array(row)
            # The torch path's own product, so that it rounds alike.
            weights = learned.parameters[layer.weight_name(entry)]
            current = current + _array(entry.connection.current(weights, row[None])[0])
    prefix = f"{phase}.{layer.name}."
    updates = {
        key.removeprefix(prefix): (flat(u.mean.value), flat(u.product.value))
        for key, u in learned.update.items()
        if key.startswith(prefix)
    }
    return LayerNorm(flat(centre), flat(gain), means, current.reshape(-1) if means else None, updates)


def _array(value: object) -> np.ndarray:
    # A tensor of torch offers these methods; this file needs no torch to call them.
    return np.asarray(value.detach().cpu().double().numpy())  # type: ignore[attr-defined]
