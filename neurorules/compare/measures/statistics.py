"""Statistics over seeds: the interval of a mean, and the difference of two rules seed by seed."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from scipy.special import stdtrit

CONFIDENCE = 0.95
"""The probability that an interval contains the true mean."""


class Interval(NamedTuple):
    """A mean over seeds and its interval.

    Args:
        mean: the mean of the values.
        low, high: bounds of the interval; None for one value.
        spread: standard deviation (n-1) of the values; 0 for one value.
    """

    mean: float
    low: float | None
    high: float | None
    spread: float


def interval(values: Sequence[float], confidence: float = CONFIDENCE, overlap: float = 0.0) -> Interval:
    """mean +- t_{n-1} s sqrt(1/n + overlap), Student's t, of n values, one a seed. It is not clipped to 0..1.

    Seeds are independent: overlap 0, mean +- t s / sqrt(n). Folds learn from mostly the same samples, and s / sqrt(n)
    is then too small; test samples over training samples is the correction of Nadeau and Bengio 2003, "Inference for
    the generalization error", Machine Learning 52, made for random splits and usual for folds.

    Args:
        values: one per seed, at least one.
        confidence: in (0, 1).
        overlap: the number of test samples over that of training samples if the values belong to folds, otherwise 0.

    Returns:
        Mean, bounds and standard deviation, in the unit of the values.
    """
    mean = statistics.fmean(values)
    if len(values) < 2:
        return Interval(mean, None, None, 0.0)
    spread = statistics.stdev(values)
    reach = float(stdtrit(len(values) - 1, 0.5 + confidence / 2)) * spread * (1 / len(values) + overlap) ** 0.5
    return Interval(mean, mean - reach, mean + reach, spread)


def described(values: Sequence[float], overlap: float = 0.0) -> dict[str, Any]:
    """Describe values and their interval by one object of `compare.json`.

    Args:
        values, overlap: as in `interval`.

    Returns:
        mean, low, high, spread, and values.
    """
    return {**interval(values, overlap=overlap)._asdict(), "values": list(values)}


def paired_difference(
    here: Mapping[int, float], there: Mapping[int, float], overlap: float = 0.0
) -> dict[str, Any] | None:
    """The interval of the mean of here - there over the seeds that both have.

    A seed gives the same data order and the same initial weights to both sides, so that its common effect cancels.

    Args:
        here, there: values by seed.
        overlap: as in `interval`.

    Returns:
        mean, low, high, and the number of seeds; None if they share no seed.
    """
    seeds = sorted(here.keys() & there.keys())
    if not seeds:
        return None
    difference = interval([here[seed] - there[seed] for seed in seeds], overlap=overlap)
    return {"mean": difference.mean, "low": difference.low, "high": difference.high, "seeds": len(seeds)}
