"""How alike two layers represent the same samples: linear centred kernel alignment (CKA), without its bias."""

from __future__ import annotations

import numpy as np

FEWEST = 4
"""Samples that the estimate needs at least."""


def linear_cka(x: np.ndarray, y: np.ndarray) -> float | None:
    """HSIC(K, L) / sqrt(HSIC(K, K) HSIC(L, L)), K = x x^T and L = y y^T, each HSIC by its unbiased estimate.

    1 for a rotation, a shift or a scaled copy, about 0 (of either sign) for independent features, however many: the
    common, biased form approaches 1 where features outnumber samples.

    Args:
        x, y: (samples, features) of the same samples, features of any number.

    Returns:
        None for fewer than 4 samples, or where a side does not vary.

    Source: Kornblith et al. 2019 (CKA); Song et al. 2012, equation 5 (the unbiased HSIC).
    """
    if len(x) < FEWEST:
        return None
    k, m = _kernel(x), _kernel(y)
    within = _hsic(k, k) * _hsic(m, m)
    return float(_hsic(k, m) / within**0.5) if within > 0 else None


def reduced(features: np.ndarray) -> np.ndarray:
    """Centred features (samples, at most samples) of the same inner products: what a file needs to keep for CKA."""
    centred = np.asarray(features, np.float64)
    centred = centred - centred.mean(0)
    if centred.shape[1] > len(centred):
        values, vectors = np.linalg.eigh(centred @ centred.T)
        centred = vectors * np.sqrt(np.clip(values, 0, None))
    return centred.astype(np.float32)


def _kernel(features: np.ndarray) -> np.ndarray:
    values = np.asarray(features, np.float64)
    values = values - values.mean(0)
    kernel = values @ values.T
    np.fill_diagonal(kernel, 0)
    return kernel


def _hsic(k: np.ndarray, m: np.ndarray) -> float:
    n = len(k)
    trace, rows = float((k * m).sum()), float(k.sum(0) @ m.sum(0))
    return (trace + k.sum() * m.sum() / ((n - 1) * (n - 2)) - 2 * rows / (n - 2)) / (n * (n - 3))
