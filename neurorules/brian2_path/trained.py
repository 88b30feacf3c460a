"""The numbers of something that was trained in torch, as arrays for Brian2."""

from __future__ import annotations

import numpy as np

from neurorules.brian2_path.case import LayerNorm
from neurorules.normalisations._shared import first_current_statistics
from neurorules.torch_path.model import Learned, Model


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
    norms: dict[str, LayerNorm] = {}
    for layer in model.network.layers:
        if layer.normalisation is None:
            continue
        known = learned.current.get(model.phase_statistics(phase, layer.name))
        statistics = known or first_current_statistics(layer.shape, learned.parameters[layer.bias])
        centre = statistics.mean.estimate()
        _, gain = layer.normalisation.forward(statistics, centre[None], False)
        prefix = f"{phase}.{layer.name}."
        updates = {
            name.removeprefix(prefix): (_array(u.mean.estimate()), _array(u.product.estimate()))
            for name, u in learned.update.items()
            if name.startswith(prefix)
        }
        norms[layer.name] = LayerNorm(_array(centre), _array(gain), updates)
    return parameters, norms


def _array(value: object) -> np.ndarray:
    # A tensor of torch offers these methods; this file needs no torch to call them.
    return np.asarray(value.detach().cpu().double().numpy())  # type: ignore[attr-defined]
