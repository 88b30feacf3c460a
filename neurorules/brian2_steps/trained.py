"""Convert the state of a network that was trained in torch to arrays for Brian2."""

from __future__ import annotations

import numpy as np

from neurorules.brian2_steps.case import LayerNorm
from neurorules.contracts.normalisation import Normalisation, first_current_statistics
from neurorules.network.layer import Layer
from neurorules.network.model import Learned, Model
from neurorules.network.transmission import as_transmitted


def numbers_of(
    model: Model, learned: Learned, phase: str = "input", sent: bool = False
) -> tuple[dict[str, np.ndarray], dict[str, LayerNorm]]:
    """Read parameters and the constants of normalised layers.

    Args:
        model: the trained network with its rule.
        learned: its state; running averages are read and not moved.
        phase: name of the phase whose running averages are read.
        sent: whether weights are those that synapses transmit, for a network that does not learn.

    Returns:
        Parameters by full name in float64, and the constants of each normalised layer by its name.
    """
    runs = as_transmitted(model, learned)
    parameters = {name: _array(value) for name, value in (runs if sent else learned).parameters.items()}
    norms = {
        layer.name: _norm(model, runs, layer, layer.normalisation, phase)
        for layer in model.network.layers
        if layer.normalisation is not None
    }
    return parameters, norms


def traces_of(learned: Learned, phase: str = "input") -> dict[str, np.ndarray]:
    """Read where traces begin that live across trials.

    Args:
        learned: the state of a network.
        phase: name of the phase whose texts read them.

    Returns:
        Values (*shape) in float64 by "layer.trace".
    """
    own = {name: value for name, value in learned.traces.items() if name.startswith(f"{phase}.")}
    return {name.removeprefix(f"{phase}."): _array(value) for name, value in own.items()}


def _norm(model: Model, learned: Learned, layer: Layer, normalisation: Normalisation, phase: str) -> LayerNorm:
    name = model.statistics_names[phase, layer.name]

    def flat(value: object) -> np.ndarray:
        """One number for each neuron, also where the neurons of a map share it."""
        return np.broadcast_to(_array(value), layer.shape).reshape(-1)

    statistics = learned.current.get(name) or first_current_statistics(layer.shape, learned.parameters[layer.bias_name])
    centre = statistics.mean.value
    _, gain = normalisation.forward(statistics, centre[None], False)
    means: dict[str, np.ndarray] = {}
    current = np.zeros(layer.shape)
    for afferent in layer.inputs:
        if layer.centres_inputs and f"{name}.{afferent.name}" in learned.pre:
            row = learned.pre[f"{name}.{afferent.name}"].value.expand(afferent.pre_shape)
            means[afferent.name] = _array(row)
            # The product is the torch path's own, so that both paths round alike.
            weights = learned.parameters[layer.weight_name(afferent)]
            current = current + _array(afferent.connection.current(weights, row[None])[0])
    prefix = f"{phase}.{layer.name}."
    updates = {
        key.removeprefix(prefix): (flat(u.mean.value), flat(u.product.value))
        for key, u in learned.update.items()
        if key.startswith(prefix)
    }
    return LayerNorm(flat(centre), flat(gain), means, current.reshape(-1) if means else None, updates)


def _array(value: object) -> np.ndarray:
    # The value is a tensor, whose methods can be called without an import of torch.
    return np.asarray(value.detach().cpu().double().numpy())  # type: ignore[attr-defined]
