"""Compares two rules seed by seed, where both have the same data order and initial weights."""

from __future__ import annotations

from typing import NamedTuple

from neurorules.compare.measures.statistics import paired_difference
from neurorules.compare.report.reading import Comparison
from neurorules.contracts.target import FIGURES


class Pair(NamedTuple):
    """The difference of two rules' test accuracies over the seeds that both have: mean and 95 % interval.

    Bounds are None if they share one seed.
    """

    mean: float
    low: float | None
    high: float | None

    @property
    def is_ahead(self) -> bool:
        """Whether the first rule is better, as far as its seeds can tell."""
        return self.mean > 0 if self.low is None else self.low > 0


def paired(comparison: Comparison, here: str, there: str) -> Pair | None:
    """The difference of two rules' test accuracies, here - there, or of another task's figure, better ones above 0.

    Args:
        comparison: with the runs of both.
        here, there: names of the rules.

    Returns:
        The difference, in shares or in the figure's unit; None if the rules share no seed.
    """
    difference = paired_difference(_by_seed(comparison, here), _by_seed(comparison, there))
    return None if difference is None else Pair(difference["mean"], difference["low"], difference["high"])


def _by_seed(comparison: Comparison, rule: str) -> dict[int, float]:
    """The test accuracy of each seed of a rule, in 0..1, or another figure, turned so that higher is better."""
    sign, key = 1 if FIGURES[comparison.figure].higher else -1, f"test_{comparison.figure}"
    return {run["seed"]: sign * run[key] for run in comparison.runs if run["rule"] == rule}
