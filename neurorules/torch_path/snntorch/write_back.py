"""Trained weights, copied into the module that a learner was made from."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from neurorules.language.errors import UserError
from neurorules.language.settings import Scores
from neurorules.network.model import Learned
from neurorules.network.network import Network
from neurorules.torch_path.snntorch.blocks import blocks_of
from neurorules.torch_path.snntorch.module_checks import unwrapped
from neurorules.torch_path.snntorch.numbers import OTHERS, written_numbers
from neurorules.torch_path.snntorch.same_layers import check_same


def write_back(network: Network, learned: Learned, module: nn.Module, scores: Scores = "membrane") -> None:
    """Copy trained weights, biases and running averages into a module of the same layers.

    Args:
        network: that learned.
        learned: its parameters; a normalisation that the module has not is folded into the weights.
        module: also one that is compiled or wrapped; it keeps its parameters, which get new values.
        scores: what gives the network's class scores.

    Raises:
        UserError: its layers are others, or compute something else; nothing of it has changed.
    """
    if not isinstance(module, nn.Module):
        raise UserError(
            f"weights are written back into a torch.nn.Module, and this is a {type(module).__name__}. {OTHERS}"
        )
    blocks = blocks_of(unwrapped(module), network.input_shape)
    if len(blocks) != len(network.layers):
        raise UserError(
            f"the module has {len(blocks)} layers with weights, and the network that learned has "
            f"{len(network.layers)}. {OTHERS}"
        )
    values: list[tuple[Tensor, Tensor]] = []
    for block, layer in zip(blocks, network.layers, strict=True):
        values += written_numbers(block, layer, learned)
        check_same(block, layer, scores)
    with torch.no_grad():
        for own, value in values:
            own.copy_(value)
