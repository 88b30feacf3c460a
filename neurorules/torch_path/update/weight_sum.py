"""Column normalisation: the weights that reach one neuron compete, since their sum stays as it is."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor


def with_sum(weights: Float[Tensor, "post *pre"], total: float) -> Float[Tensor, "post *pre"]:
    """Scale the weights of each postsynaptic neuron, or map, to one sum of absolute values.

    Source: Diehl & Cook 2015 scale the excitatory weights of a neuron before each sample.

    Args:
        weights: of one connection, the postsynaptic axis first.
        total: the sum of the absolute weights of a neuron, > 0.

    Returns:
        The scaled weights; those of a neuron whose weights are all 0 stay 0.
    """
    sums = weights.reshape(len(weights), -1).abs().sum(1)
    factor = torch.where(sums > 0, total / sums, torch.ones_like(sums))
    return weights * factor.reshape(-1, *(1 for _ in weights.shape[1:]))
