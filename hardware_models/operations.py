"""Operations of a connection, counted as NeuroBench counts them."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor


class Operations(NamedTuple):
    """Operations of one connection for a batch of inputs, its bias left out.

    Args:
        effective: those whose weight and input are both other than 0.
        dense: those of all weights, padding left out.
        accumulate: whether additions are enough, since every input is -1, 0 or 1.
    """

    effective: int
    dense: int
    accumulate: bool


def operations_of(weights: Tensor, inputs: Tensor, stride: int = 1, padding: int = 0) -> Operations:
    """Count the operations of a connection as NeuroBench 2.3.0 does (`SynapticOperations`).

    Args:
        weights: weights of a dense connection, (O, I), or of a convolution, (O, C, k, k).
        inputs: (B, I), or (B, C, H, W).
        stride, padding: numbers of the convolution.

    Returns:
        The counts, summed over the batch.
    """
    accumulate = bool(torch.isin(inputs, torch.tensor([-1.0, 0.0, 1.0], dtype=inputs.dtype)).all())
    weight, active = (weights != 0).double(), (inputs != 0).double()

    def total(w: Tensor, x: Tensor) -> int:
        if w.ndim == 2:
            return int((x @ w.T).sum())
        return int(torch.nn.functional.conv2d(x, w, stride=stride, padding=padding).sum())

    return Operations(total(weight, active), total(torch.ones_like(weight), torch.ones_like(active)), accumulate)
