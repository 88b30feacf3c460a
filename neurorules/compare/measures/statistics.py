"""Seeds are the unit: intervals of a mean over seeds, and differences of two rules seed by seed."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from scipy.special import stdtrit

CONFIDENCE = 0.95


class Interval(NamedTuple):
    """A mean, the bounds of its interval (None for one value), and the standard deviation (n-1; 0 for one value)."""

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
        values: at least one.
        confidence: in (0, 1).
        overlap: test samples over training samples where the values are of folds, else 0.
    """
    mean = statistics.fmean(values)
    if len(values) < 2:
        return Interval(mean, None, None, 0.0)
    spread = statistics.stdev(values)
    reach = float(stdtrit(len(values) - 1, 0.5 + confidence / 2)) * spread * (1 / len(values) + overlap) ** 0.5
    return Interval(mean, mean - reach, mean + reach, spread)


def described(values: Sequence[float], overlap: float = 0.0) -> dict[str, Any]:
    """The interval of values by name, and the values; `overlap` as in `interval`."""
    return {**interval(values, overlap=overlap)._asdict(), "values": list(values)}


def paired_difference(
    here: Mapping[int, float], there: Mapping[int, float], overlap: float = 0.0
) -> dict[str, Any] | None:
    """Interval of the mean of here - there over the seeds that both have; None where they share none.

    A seed is the same data order and the same initial weights on both sides, so what it does to both cancels.

    Args:
        here, there: values by seed.
        overlap: as in `interval`.
    """
    seeds = sorted(here.keys() & there.keys())
    if not seeds:
        return None
    found = interval([here[seed] - there[seed] for seed in seeds], overlap=overlap)
    return {"mean": found.mean, "low": found.low, "high": found.high, "seeds": len(seeds)}
