"""Two rules seed by seed: the same data order and initial weights on both sides."""

from __future__ import annotations

from statistics import fmean, stdev
from typing import NamedTuple

from scipy.special import stdtrit

from neurorules.compare.report.reading import Comparison

TAIL = 0.975  # of Student's t: both tails together leave out 5 %


class Pair(NamedTuple):
    """Mean difference of test accuracies over the seeds that both rules have; bounds are None with one seed."""

    mean: float
    low: float | None
    high: float | None

    @property
    def is_ahead(self) -> bool:
        """Whether the first rule is better, as far as its seeds can tell."""
        return self.mean > 0 if self.low is None else self.low > 0


def paired(comparison: Comparison, here: str, there: str) -> Pair | None:
    """here - there; None where they share no seed."""
    one, other = _by_seed(comparison, here), _by_seed(comparison, there)
    differences = [one[seed] - other[seed] for seed in sorted(one.keys() & other.keys())]
    if not differences:
        return None
    mean, count = fmean(differences), len(differences)
    if count < 2:
        return Pair(mean, None, None)
    reach = float(stdtrit(count - 1, TAIL)) * stdev(differences) / count**0.5
    return Pair(mean, mean - reach, mean + reach)


def _by_seed(comparison: Comparison, rule: str) -> dict[int, float]:
    return {run["seed"]: run["test_accuracy"] for run in comparison.runs if run["rule"] == rule}
