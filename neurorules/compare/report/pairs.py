"""Two rules seed by seed: the same data order and initial weights on both sides."""

from __future__ import annotations

from typing import NamedTuple

from neurorules.compare.measures.statistics import paired_difference
from neurorules.compare.report.reading import Comparison


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
    found = paired_difference(_by_seed(comparison, here), _by_seed(comparison, there))
    return None if found is None else Pair(found["mean"], found["low"], found["high"])


def _by_seed(comparison: Comparison, rule: str) -> dict[int, float]:
    return {run["seed"]: run["test_accuracy"] for run in comparison.runs if run["rule"] == rule}
