"""Wiring: which neurons are connected, drawn by a generator of the caller's, so that Brian2's own is left alone."""

from __future__ import annotations

import numpy as np

from neurorules.brian2_continuous.parts.circuit import Pairs, random_pairs
from neurorules.language.errors import UserError

__all__ = ["Pairs", "distance_pairs", "indegree_pairs", "random_pairs"]


def indegree_pairs(source: int, target: int, count: int, random: np.random.Generator) -> Pairs:
    """Draw equally many sources for each neuron of the target, each of them at most once.

    Args:
        source: number of neurons of the source.
        target: number of neurons of the target.
        count: number of sources of each neuron, from 1 to all.
        random: generator of the draws.

    Returns:
        count x target pairs, neuron by neuron of the target.

    Raises:
        UserError: there are fewer sources than asked for.
    """
    if not 1 <= count <= source:
        raise UserError(
            f"each neuron is to receive input from {count} sources, and there are {source}. Ask for 1 to {source}"
        )
    pre = np.concatenate([random.choice(source, count, replace=False) for _ in range(target)])
    return Pairs(pre, np.repeat(np.arange(target), count))


def distance_pairs(
    source_um: np.ndarray,
    target_um: np.ndarray,
    peak: float,
    sigma_um: float,
    random: np.random.Generator,
    box_um: float | None = None,
) -> tuple[Pairs, np.ndarray]:
    """Draw which neurons are connected, with the probability peak exp(-d^2 / (2 sigma^2)) at a distance d.

    Args:
        source_um: positions of the source's neurons in micrometres, (N, D).
        target_um: positions of the target's neurons in micrometres, (M, D).
        peak: probability at distance 0, in 0..1.
        sigma_um: width of the Gaussian in micrometres, > 0.
        random: generator of the draws.
        box_um: length of the side of a box whose opposite sides touch, in micrometres; None for space without edges.

    Returns:
        The connected pairs in the order of the source's neurons, and the distance of each in micrometres, (n,). A
        neuron at distance 0, such as itself, is not connected. Delays follow by Brian2's own arithmetic:
        `delay=1*ms + distance*um/(0.3*metre/second)`.

    Raises:
        UserError: the peak is no probability, the width is not positive, or positions have different dimensions.
    """
    if not 0 <= peak <= 1 or not sigma_um > 0:
        raise UserError(f"peak is {peak:g} and sigma_um {sigma_um:g}. Give a peak in 0..1 and a width above 0")
    if source_um.ndim != 2 or target_um.ndim != 2 or source_um.shape[1] != target_um.shape[1]:
        raise UserError(
            f"positions have the shapes {source_um.shape} and {target_um.shape}. Give one row for each neuron, with as "
            f"many columns for the source as for the target"
        )
    square = np.zeros((len(source_um), len(target_um)))
    for here, there in zip(source_um.T, target_um.T, strict=True):
        gap = np.abs(here[:, None] - there)
        square += (gap if box_um is None else np.minimum(gap, box_um - gap)) ** 2
    chance = peak * np.exp(-square / (2 * sigma_um**2)) * (square > 0)
    pre, post = np.nonzero(random.random(square.shape) < chance)
    return Pairs(pre, post), np.sqrt(square[pre, post])
