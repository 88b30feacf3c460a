"""A test part for data that come in one piece: a fixed share of the samples of each class."""

from __future__ import annotations

import numpy as np
from jaxtyping import Shaped

from neurorules.language.errors import UserError

SEED = 0


def tested_mask(
    labels: Shaped[np.ndarray, "N"], share: float | None, text: str
) -> Shaped[np.ndarray, "N"]:  # fmt: skip
    """Choose the samples that are tested: the same for equal labels, whoever asks.

    Args:
        labels: classes of the samples, of any type that can be compared.
        share: the share of each class that is tested, in (0, 1); at least one sample is, and one is learned from.
        text: the data set as the user wrote it, for messages.

    Returns:
        (N,) bool.

    Raises:
        UserError: no share is given, or a class has one sample alone.
    """
    if share is None:
        raise UserError(
            f"data '{text}' comes in one part. Say which share of each class is tested, such as {text}:test=0.2"
        )
    random = np.random.RandomState(SEED)  # NumPy promises this older stream never to change, unlike default_rng's
    tested = np.zeros(len(labels), dtype=bool)
    for label in np.unique(labels):
        places = random.permutation(np.flatnonzero(labels == label))
        if len(places) < 2:
            raise UserError(
                f"data '{text}': class '{label}' has one sample, which cannot be learned and tested. Add some"
            )
        tested[places[: min(max(1, round(share * len(places))), len(places) - 1)]] = True
    return tested
