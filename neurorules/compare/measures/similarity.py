"""The similarity of two layers' representations of the same samples: linear centred kernel alignment (CKA), without its
bias.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float32, Float64, Shaped

FEWEST = 4
"""The smallest number of samples for the estimate."""


def linear_cka(x: Shaped[np.ndarray, "B N"], y: Shaped[np.ndarray, "B M"]) -> float | None:
    """HSIC(K, L) / sqrt(HSIC(K, K) HSIC(L, L)), K = x x^T and L = y y^T, each HSIC by its unbiased estimate.

    1 for a rotation, a shift or a scaled copy, about 0 (of either sign) for independent features, however many: the
    common, biased form approaches 1 where features outnumber samples.

    Args:
        x, y: features of the same samples, (B, N) and (B, M), with any numbers of features.

    Returns:
        The alignment, at most 1; None for fewer than 4 samples, or where a side does not vary.

    Source: Kornblith et al. 2019 (CKA); Song et al. 2012, equation 5 (the unbiased HSIC).
    """
    if len(x) < FEWEST:
        return None
    k, m = _kernel(x), _kernel(y)
    within = _hsic(k, k) * _hsic(m, m)
    return float(_hsic(k, m) / within**0.5) if within > 0 else None


def reduced(features: Shaped[np.ndarray, "B N"]) -> Float32[np.ndarray, "B M"]:
    """Centred features (B, at most B) with the same inner products, which is all that CKA needs from a file."""
    centred = np.asarray(features, np.float64)
    centred = centred - centred.mean(0)
    if centred.shape[1] > len(centred):
        values, vectors = np.linalg.eigh(centred @ centred.T)
        centred = vectors * np.sqrt(np.clip(values, 0, None))
    return centred.astype(np.float32)


def _kernel(features: Shaped[np.ndarray, "B N"]) -> Float64[np.ndarray, "B B"]:
    """Inner products of centred features, with a diagonal of 0."""
    values = np.asarray(features, np.float64)
    values = values - values.mean(0)
    kernel = values @ values.T
    np.fill_diagonal(kernel, 0)
    return kernel


def _hsic(k: Float64[np.ndarray, "B B"], m: Float64[np.ndarray, "B B"]) -> float:
    """The unbiased estimate of HSIC, from two kernels with a diagonal of 0."""
    n = len(k)
    trace, rows = float((k * m).sum()), float(k.sum(0) @ m.sum(0))
    return (trace + k.sum() * m.sum() / ((n - 1) * (n - 2)) - 2 * rows / (n - 2)) / (n * (n - 3))
