"""What scans are tried with: surrogates and other factors of the membrane, sizes, and what plain torch computes."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from hypothesis import strategies as st

from neurorules.native.scans import Psi, PsiShape, dispatch

PSIS = [
    Psi(PsiShape.BOXCAR, 2.0, 0.5),
    Psi(PsiShape.TRIANGLE, 0.8, 0.3),
    Psi(PsiShape.FAST_SIGMOID, 25.0),
    Psi(PsiShape.ATAN, math.pi, 1.0),
    Psi(PsiShape.POSITIVE, 1.0, -1.0),
    Psi(PsiShape.FLAT, 1.0, -0.5),
]
"""One of each shape."""
SIZES = st.tuples(st.integers(1, 9), st.integers(1, 5), st.one_of(st.integers(1, 70), st.integers(120, 400)))
"""T, B, N: below and above a vector of neurons, and with a last one that is not full."""


def in_plain_torch(function: Any, *arguments: Any, **named: Any) -> Any:
    """What a machine without a compiler computes."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(dispatch, "library", lambda: None)
        return function(*arguments, **named)


def same(left: tuple[Any, ...], right: tuple[Any, ...]) -> None:
    """Both have the same results, to the bit."""
    for a, b in zip(left, right, strict=True):
        assert (a is None) == (b is None)
        assert a is None or (a.dtype == b.dtype and torch.equal(a, b))
