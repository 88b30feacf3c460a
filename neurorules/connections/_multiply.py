"""Matrix products by whichever library is faster on this processor, MKL or oneDNN."""

from __future__ import annotations

import functools
import platform
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor


def times_transposed(a: Float[Tensor, "R K"], b: Float[Tensor, "O K"]) -> Float[Tensor, "R O"]:
    """The product a b^T of two matrices with any strides.

    On CPUs, torch multiplies float32 matrices with MKL, which runs at half speed or less on processors that are not
    Intel's. oneDNN, which torch contains for convolutions, is faster there (3200 x 784 x 1000 on two Zen 5 cores: 37 ms
    instead of 78 ms). Both compute a float32 product.

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
    """Whether autograd records operations on one of the factors; then torch has to multiply them."""
    return torch.is_grad_enabled() and (a.requires_grad or b.requires_grad)


def _onednn_product(a: Float[Tensor, "R K"], b: Float[Tensor, "O K"]) -> Float[Tensor, "R O"]:
    """Multiply with an operator of torch that is not public; `_onednn_is_faster` checks whether this version has it."""
    return torch.ops.mkldnn._linear_pointwise(a, b, None, "none", [], "")


@functools.cache
def _onednn_is_faster() -> bool:
    """Whether the processor is from AMD, and this version of torch has the operator, and the operator multiplies
    correctly."""
    if not _is_amd() or not torch.backends.mkldnn.is_available():
        return False
    a, b = torch.arange(6.0).reshape(2, 3), torch.arange(12.0).reshape(3, 4).T
    try:
        product = _onednn_product(a, b)
    except (AttributeError, RuntimeError, TypeError):  # other versions may lack this private operator
        return False
    return bool(torch.equal(product, a @ b.T))


def _is_amd() -> bool:
    """Whether the processor was made by AMD."""
    try:
        return "AuthenticAMD" in Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return "AuthenticAMD" in platform.processor()
