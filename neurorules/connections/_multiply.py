"""Products of matrices, by the library that is faster at them on this processor."""

from __future__ import annotations

import functools
import platform
from pathlib import Path

import torch
from torch import Tensor


def times_transposed(a: Tensor, b: Tensor) -> Tensor:
    """a b^T of (R, K) and (O, K), either of any stride: (R, O).

    torch multiplies float32 on CPUs with MKL, which runs at half speed or less on processors that are not Intel's;
    oneDNN, which torch carries for convolutions, does not (3200 x 784 x 1000 on two Zen 5 cores: 37 ms and 78 ms).
    Either way it is a float32 product, with float32's rounding.
    """
    recorded = torch.is_grad_enabled() and (a.requires_grad or b.requires_grad)
    if a.dtype == torch.float32 and a.device.type == "cpu" and not recorded and _onednn_is_faster():
        return _onednn_product(a, b)
    return a @ b.T


def _onednn_product(a: Tensor, b: Tensor) -> Tensor:
    """a b^T by an operator of torch that is not public: `_onednn_is_faster` says whether this version has it."""
    return torch.ops.mkldnn._linear_pointwise(a, b, None, "none", [], "")


@functools.cache
def _onednn_is_faster() -> bool:
    """Whether this processor is AMD's, and this torch has the operator and multiplies right with it."""
    if not _is_amd() or not torch.backends.mkldnn.is_available():
        return False
    a, b = torch.arange(6.0).reshape(2, 3), torch.arange(12.0).reshape(3, 4).T
    try:
        found = _onednn_product(a, b)
    except (AttributeError, RuntimeError, TypeError):  # the operator is not public: other versions may lack it
        return False
    return bool(torch.equal(found, a @ b.T))


def _is_amd() -> bool:
    try:
        return "AuthenticAMD" in Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return "AuthenticAMD" in platform.processor()
