"""Networks from torch.nn.Sequential with snnTorch layers, and back with trained weights.

Read-out: class scores are the time average of the last membrane. A Sequential may end in a Linear (scores are its mean
output), a Leaky with reset "none" (a leaky read-out), or a Leaky that resets, with snnTorch's delayed reset: then its
returned membrane is averaged, resets included; its spikes are not read.
"""

from __future__ import annotations

import torch
from torch import nn

from neurorules.exchange.folding import fold
from neurorules.language.errors import UserError
from neurorules.network.layer import NETWORK_INPUT, Layer
from neurorules.network.model import Learned
from neurorules.network.network import Network
from neurorules.neurons._adaptive import AdaptiveIntegrator
from neurorules.neurons._alpha import AlphaIntegrator
from neurorules.neurons._leaky import LeakyIntegrator
from neurorules.neurons._refractory import Refractory
from neurorules.neurons._synaptic import SynapticIntegrator
from neurorules.neurons._words import word_of
from neurorules.neurons.leaky_readout import LeakyReadout
from neurorules.neurons.rate import Rate
from neurorules.torch_path.snntorch.modules import (
    to_linear,
    to_module,
)
from neurorules.torch_path.snntorch.populations import to_alpha, to_leaky, to_synaptic


def to_sequential(network: Network, learned: Learned, frozen: frozenset[str] = frozenset()) -> nn.Sequential:
    """The network as torch and snnTorch layers, in evaluation mode, with normalisation folded into the weights.

    Every Leaky keeps its own state: call `snntorch.utils.reset(net)`, then the net once for each step. It returns the
    read-out's current (memoryless read-out), else what its Leaky or Synaptic returns, the membrane last; class scores
    are the time average.

    Args:
        network: its layers.
        learned: its parameters and running averages.
        frozen: names of parameters that get requires_grad=False.

    Returns:
        The Sequential.

    Raises:
        UserError: recurrent layers, a read-out of all layers, or a neuron that snnTorch has no layer for.
    """
    modules: list[nn.Module] = []
    for index, layer in enumerate(network.layers):
        if len(layer.inputs) > 1 or layer.inputs[0].source != (index - 1 if index else NETWORK_INPUT):
            kind = (
                "recurrent" if any(e.connection.recurrent for e in layer.inputs) else "a sum, or reads several layers"
            )
            raise UserError(f"layer '{layer.name}' is {kind}, and a torch.nn.Sequential is not. Use a plain net")
        entry = layer.inputs[0]
        modules += [to_module(transform) for transform in entry.transforms]
        weights, bias = fold(layer, learned)
        w = weights[entry.name]
        linear = to_linear(entry.connection, w, bias)
        for name, value in linear[0].named_parameters():
            value.requires_grad_((layer.weight_name(entry) if name == "weight" else layer.bias_name) not in frozen)
        modules += linear
        modules += _population(layer, w.dtype)
    return nn.Sequential(*modules).to(bias.device).eval()


def _population(layer: Layer, dtype: torch.dtype) -> list[nn.Module]:
    neuron, last = layer.neuron, layer.role == "readout"
    if isinstance(neuron, LeakyReadout) and last and neuron.beta == 0:
        return []
    if isinstance(neuron, Rate):
        return [nn.ReLU() if neuron.activation == "relu" else nn.Tanh()]
    if isinstance(neuron, LeakyReadout) and not last:
        raise UserError(
            f"layer '{layer.name}' sends its membrane, and no layer of snnTorch does. Use if, lif or cuba_lif"
        )
    if isinstance(neuron, LeakyIntegrator | LeakyReadout):
        return [to_leaky(neuron, dtype, last)]
    if isinstance(neuron, SynapticIntegrator):
        return [to_synaptic(neuron, dtype, last)]
    if isinstance(neuron, AlphaIntegrator):
        return [to_alpha(neuron, dtype, last)]
    if isinstance(neuron, Refractory | AdaptiveIntegrator):
        what = "a refractory period" if isinstance(neuron, Refractory) else "an adaptive threshold"
        raise UserError(
            f"the neuron of layer '{layer.name}' has {what}, which no layer of snnTorch has. "
            f"Use if, lif or cuba_lif neurons without"
        )
    raise UserError(
        f"snnTorch has no layer for the neuron of '{layer.name}', {word_of(neuron)}. Use if, lif or cuba_lif neurons"
    )
