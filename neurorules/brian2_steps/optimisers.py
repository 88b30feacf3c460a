"""The optimisers that a script holds: each of these functions is copied into it as it is.

They change one parameter by its gradient, as the torch path does with torch's own functions.
"""

from __future__ import annotations

from typing import Any

import numpy as np


def _none(weights: np.ndarray, gradient: np.ndarray, kept: Any, rate: float, decay: float) -> np.ndarray:
    """Change a parameter by what the rule says, as it is."""
    return weights - rate * (gradient + decay * weights)


def _sgd(weights: np.ndarray, gradient: np.ndarray, kept: Any, rate: float, decay: float) -> np.ndarray:
    """Change weights by gradient descent, with weight decay."""
    return weights - rate * (gradient + decay * weights)


def _momentum(weights: np.ndarray, gradient: np.ndarray, kept: Any, rate: float, decay: float) -> np.ndarray:
    """Descend along a sum of gradients, of which 0.9 is kept from one update to the next."""
    kept["sum"] = 0.9 * kept.get("sum", 0.0) + gradient + decay * weights
    return weights - rate * kept["sum"]


def _adam(weights: np.ndarray, gradient: np.ndarray, kept: Any, rate: float, decay: float) -> np.ndarray:
    """Adam, as in Kingma & Ba 2015."""
    gradient = gradient + decay * weights
    kept["step"] = kept.get("step", 0) + 1
    kept["mean"] = kept.get("mean", 0.0) + 0.1 * (gradient - kept.get("mean", 0.0))
    kept["square"] = 0.999 * kept.get("square", 0.0) + 0.001 * gradient**2
    root = np.sqrt(kept["square"]) / np.sqrt(1 - 0.999 ** kept["step"]) + 1e-8
    return weights - rate / (1 - 0.9 ** kept["step"]) * kept["mean"] / root


OPTIMISERS = {"none": _none, "sgd": _sgd, "momentum": _momentum, "adam": _adam}
"""The optimisers by the names that users write; in a script their names begin without an underscore."""
