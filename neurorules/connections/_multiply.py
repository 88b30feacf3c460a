"""Products of matrices, made by whichever library is the faster one on this processor."""

from __future__ import annotations

import functools
import platform
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor


def times_transposed(a: Float[Tensor, "R K"], b: Float[Tensor, "O K"]) -> Float[Tensor, "R O"]:
    """The product a b^T of two matrices, whose rows may lie in memory in any order (any strides).

    torch multiplies float32 on CPUs with MKL, which runs at half speed or less on processors that are not Intel's;
    oneDNN, which torch carries for convolutions, does not (3200 x 784 x 1000 on two Zen 5 cores: 37 ms and 78 ms).
    Either way it is a float32 product, with float32's rounding.

    Args:
        a: (R, K).
        b: (O, K).

    Returns:
        a b^T, (R, O).
    """
    if a.dtype == torch.float32 and a.device.type == "cpu" and not is_recorded(a, b) and _onednn_is_faster():
        return _onednn_product(a, b)
    return a @ b.T


def is_recorded(a: Tensor, b: Tensor) -> bool:
    """Whether a user's autograd records what becomes of two factors: then torch multiplies them."""
    return torch.is_grad_enabled() and (a.requires_grad or b.requires_grad)


def _onednn_product(a: Float[Tensor, "R K"], b: Float[Tensor, "O K"]) -> Float[Tensor, "R O"]:
    """Multiply by an operator of torch that is not public, with the same product. `_onednn_is_faster` says whether
    torch has it.
    """
    return torch.ops.mkldnn._linear_pointwise(a, b, None, "none", [], "")


@functools.cache
def _onednn_is_faster() -> bool:
    """Whether the processor is one of AMD's, and this version of torch has the operator, and it multiplies
    correctly."""
    if not _is_amd() or not torch.backends.mkldnn.is_available():
        return False
    a, b = torch.arange(6.0).reshape(2, 3), torch.arange(12.0).reshape(3, 4).T
    try:
        product = _onednn_product(a, b)
    except (AttributeError, RuntimeError, TypeError):  # the operator is not public: other versions may lack it
        return False
    return bool(torch.equal(product, a @ b.T))


def _is_amd() -> bool:
    """Whether the processor is one of AMD's."""
    try:
        return "AuthenticAMD" in Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return "AuthenticAMD" in platform.processor()
