"""A trained network as neurons and synapses alone: normalisation and pools become part of weights and biases."""

from __future__ import annotations

from math import prod

import numpy as np
from scipy.sparse import coo_array

from neurorules.brian2_steps.case import Arrays, LayerNorm
from neurorules.brian2_steps.wiring import Wiring, pooled, pools_of, wiring_of
from neurorules.language.errors import UserError
from neurorules.network.layer import NETWORK_INPUT, Input, Layer
from neurorules.network.network import Network


def lags_of(network: Network) -> dict[int, int]:
    """The step in which each layer takes its first step, if a spike needs one step to reach the next layer.

    Args:
        network: structure of the network.

    Returns:
        By index of the layer, one more than the largest of the layers that it reads; 0 for the network's input.
    """
    lags = {NETWORK_INPUT: 0}
    for index, layer in enumerate(network.layers):
        lags[index] = 1 + max((lags[one.source] for one in layer.inputs if not one.connection.recurrent), default=0)
    return lags


def folded(layer: Layer, parameters: Arrays, norm: LayerNorm | None) -> tuple[np.ndarray, np.ndarray]:
    """Fold a layer's normalisation, whose running averages stand still, into a factor of its weights and a bias.

    Args:
        layer: the layer.
        parameters: weights and biases by full name.
        norm: constants of the layer; None if it is not normalised.

    Returns:
        The factor of all weights that end at each neuron, and its bias, (N,) each.
    """
    bias = np.broadcast_to(np.asarray(parameters[layer.bias_name], dtype=np.float64), layer.shape).reshape(-1)
    if norm is None:
        return np.ones(prod(layer.shape)), bias
    return norm.gain, bias - norm.gain * (norm.centre + (0.0 if norm.mean_current is None else norm.mean_current))


def wired(layer: Layer, afferent: Input, parameters: Arrays) -> tuple[Wiring, np.ndarray]:
    """List the synapses of a connection from the population that it reads, including the pools in between.

    Args:
        layer: the postsynaptic layer.
        afferent: one of its inputs.
        parameters: weights and biases by full name.

    Returns:
        The synapses, and the weight of each, (n,).

    Raises:
        UserError: a pool takes the maximum, or synapses have short-term plasticity.
    """
    if afferent.connection.efficacy is not None:
        raise UserError(
            f"layer '{layer.name}' has synapses with short-term plasticity, whose effect is not a sum of spikes. "
            f"Use a net of dense or recurrent connections"
        )
    wiring = wiring_of(layer, afferent)
    weights = np.asarray(parameters[layer.weight_name(afferent)], dtype=np.float64).reshape(-1)[wiring.element]
    pools = pools_of(layer, afferent, learning=False)
    if not pools:
        return wiring, weights
    matrix = coo_array((weights, (wiring.post, wiring.pre)), (prod(layer.shape), prod(afferent.pre_shape))).tocsr()
    for pool, shape in reversed(pools):
        if pool.kind == "max":
            raise UserError(
                f"layer '{layer.name}' has a pool that takes the maximum, and synapses add what arrives. Use average "
                f"pooling, such as a2"
            )
        window = pooled(pool, shape)
        share = np.full(len(window.pre), 1.0 / prod(pool.sides))
        matrix = matrix @ coo_array((share, (window.post, window.pre)), (matrix.shape[1], prod(shape))).tocsr()
    summed = matrix.tocoo()
    return Wiring(summed.col, summed.row, np.arange(summed.nnz), (summed.nnz,)), summed.data
