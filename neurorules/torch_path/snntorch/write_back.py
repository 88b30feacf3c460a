"""Trained weights, copied into the module that a learner was made from."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from neurorules.language.errors import UserError
from neurorules.network.model import Learned
from neurorules.network.network import Network
from neurorules.torch_path.snntorch.blocks import blocks_of
from neurorules.torch_path.snntorch.module_checks import unwrapped
from neurorules.torch_path.snntorch.numbers import OTHERS, written_numbers


def write_back(network: Network, learned: Learned, module: nn.Module) -> None:
    """Copy trained weights, biases and running averages into a module of the same layers.

    Args:
        network: that learned.
        learned: its parameters; a normalisation that the module has not is folded into the weights.
        module: also one that is compiled or wrapped; it keeps its parameters, which get new values.

    Raises:
        UserError: its layers are others; nothing of it has changed.
    """
    blocks = blocks_of(unwrapped(module), network.input_shape)
    if len(blocks) != len(network.layers):
        raise UserError(
            f"the module has {len(blocks)} layers with weights, and the network that learned has "
            f"{len(network.layers)}. {OTHERS}"
        )
    values: list[tuple[Tensor, Tensor]] = []
    for block, layer in zip(blocks, network.layers, strict=True):
        values += written_numbers(block, layer, learned)
    with torch.no_grad():
        for own, value in values:
            own.copy_(value)
