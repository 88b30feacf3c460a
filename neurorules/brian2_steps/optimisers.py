"""The optimisers that a script holds: each of these functions is copied into it as it is.

They change one parameter by its gradient, as the torch path does with torch's own functions.
"""

from __future__ import annotations

from typing import Any

import numpy as np


def _none(weights: np.ndarray, gradient: np.ndarray, buffers: Any, rate: float, decay: float) -> np.ndarray:
    """Change a parameter by the change of the rule itself."""
    return weights - rate * (gradient + decay * weights)


def _sgd(weights: np.ndarray, gradient: np.ndarray, buffers: Any, rate: float, decay: float) -> np.ndarray:
    """Change weights by gradient descent, with weight decay."""
    return weights - rate * (gradient + decay * weights)


def _momentum(weights: np.ndarray, gradient: np.ndarray, buffers: Any, rate: float, decay: float) -> np.ndarray:
    """Descend along a sum of gradients, of which 0.9 is kept from one update to the next."""
    buffers["sum"] = 0.9 * buffers.get("sum", 0.0) + gradient + decay * weights
    return weights - rate * buffers["sum"]


def _adam(weights: np.ndarray, gradient: np.ndarray, buffers: Any, rate: float, decay: float) -> np.ndarray:
    """Adam, as in Kingma & Ba 2015."""
    gradient = gradient + decay * weights
    buffers["step"] = buffers.get("step", 0) + 1
    buffers["mean"] = buffers.get("mean", 0.0) + 0.1 * (gradient - buffers.get("mean", 0.0))
    buffers["square"] = 0.999 * buffers.get("square", 0.0) + 0.001 * gradient**2
    root = np.sqrt(buffers["square"]) / np.sqrt(1 - 0.999 ** buffers["step"]) + 1e-8
    return weights - rate / (1 - 0.9 ** buffers["step"]) * buffers["mean"] / root


OPTIMISERS = {"none": _none, "sgd": _sgd, "momentum": _momentum, "adam": _adam}
"""The optimisers by the names that users write; in a script their names begin without an underscore."""


def _scaled(weights: np.ndarray, total: float) -> np.ndarray:
    """Scale the weights of each postsynaptic neuron to one sum of absolute values; weights that are all 0 stay."""
    sums = np.abs(weights).reshape(len(weights), -1).sum(1)
    factor = np.divide(total, sums, out=np.ones_like(sums), where=sums > 0)
    return weights * factor.reshape(-1, *[1] * (weights.ndim - 1))


WITH_SUM = _scaled
"""Column normalisation, which follows the optimiser."""
