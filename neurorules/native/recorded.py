"""Whether a user's autograd records what is computed: compiled kernels, which it cannot see, are not used then."""

from __future__ import annotations

import torch
from torch import Tensor


def is_recorded(a: Tensor, b: Tensor) -> bool:
    """Whether autograd records operations on one of two tensors; then torch has to compute them."""
    return torch.is_grad_enabled() and (a.requires_grad or b.requires_grad)
