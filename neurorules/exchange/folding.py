"""A layer as inference sees it: its normalisation folded into weights and bias."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor

from neurorules.contracts.normalisation import first_current_statistics
from neurorules.network.layer import Layer
from neurorules.network.model import Learned


class Folded(NamedTuple):
    """A layer whose normalisation is folded into its weights and bias.

    The bias of a map differs between positions only where a centred input meets a border of zeros.

    Args:
        weights: weights by the name of the input, each shaped like the connection's own.
        bias: (N,) or (C, H, W).
    """

    weights: dict[str, Tensor]
    bias: Tensor


def fold(layer: Layer, learned: Learned) -> Folded:
    """Weights and bias that give the same current without normalisation.

    gain (W (s - mean_pre) - mean) + b  =  (gain W) s  +  (b - gain (W mean_pre + mean)): at inference every
    normalisation is this affine map of the current of each neuron (each map), its running averages held fixed.

    Args:
        layer: what is folded.
        learned: its parameters and running averages.

    Returns:
        The weights and the bias.
    """
    weights = {entry.name: learned.parameters[layer.weight_name(entry)] for entry in layer.inputs}
    bias = learned.parameters[layer.bias_name]
    if layer.normalisation is None:
        return Folded(weights, bias.expand(layer.shape))
    without_spikes = bias.new_zeros(1, *layer.shape)
    for entry in layer.inputs:
        mean = learned.pre.get(f"input.{layer.name}.{entry.name}")
        if layer.centres_inputs and mean is not None:
            row = mean.value.expand(1, *entry.pre_shape)
            without_spikes = without_spikes - entry.connection.current(weights[entry.name], row)
    statistics = learned.current.get(f"input.{layer.name}") or first_current_statistics(layer.shape, bias)
    offset, gain = layer.normalisation.forward(statistics, without_spikes, training=False)
    scaled = {name: w * gain.reshape(-1, *(1,) * (w.ndim - 1)) for name, w in weights.items()}
    return Folded(scaled, bias + offset[0])
