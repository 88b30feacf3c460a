"""A linear probe: how well a separate linear classifier predicts the label from a layer's mean activity."""

from __future__ import annotations

import numpy as np
from jaxtyping import Shaped

PENALTY = 100.0
"""Ridge penalty on standardised features, of 512 samples. Source: training samples of MNIST through random layers of 32
to 3,000 neurons, penalties 1 to 1,000."""


def probe_accuracy(
    features: Shaped[np.ndarray, "B N"],
    labels: Shaped[np.ndarray, " B"],
    unseen: Shaped[np.ndarray, "other N"],
    unseen_labels: Shaped[np.ndarray, " other"],
) -> float | None:
    """Fit a ridge classifier to one set of samples, and score it on another.

    Args:
        features, labels: activity (B, N) and class indices (B,) that the classifier is fitted to.
        unseen, unseen_labels: activity and class indices that it is scored on.

    Returns:
        The accuracy in 0..1; None if there is nothing to score, or only one class to fit.
    """
    if not len(unseen) or len(np.unique(labels)) < 2:
        return None
    from sklearn.linear_model import RidgeClassifier

    mean, deviation = features.mean(0), features.std(0)
    scale = np.where(deviation > 0, deviation, 1)  # a neuron that never fires carries no information
    fitted = RidgeClassifier(alpha=PENALTY).fit((features - mean) / scale, labels)
    return float(fitted.score((unseen - mean) / scale, unseen_labels))
