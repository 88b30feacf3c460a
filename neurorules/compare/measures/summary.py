"""One row per rule: means over seeds with intervals, differences to `bptt` seed by seed, and costs."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from neurorules.compare.controls import beside
from neurorules.compare.folds import overlap_of
from neurorules.compare.measures.costs import energies_of
from neurorules.compare.measures.lists import Finished, is_exact
from neurorules.compare.measures.statistics import described, paired_difference
from neurorules.contracts.target import FIGURES_OF, first_figure

SETTINGS = ("lr", "readout_lr", "signal_lr", "optimizer", "readout_optimizer", "signal", "dw")
"""The settings of learning in a row."""
REACHED = (0.9, 0.95, 0.97)
"""Validation accuracies for which the epochs and seconds to reach them are counted."""


def rule_rows(
    runs: Sequence[Finished], epochs: Sequence[Mapping[str, Any]], problems: Callable[[str], Mapping[str, Any]]
) -> list[dict[str, Any]]:
    """Build the list `rules` of `compare.json`.

    Args:
        runs: all runs of a comparison.
        epochs: rows of their epochs (`lists.epoch_rows`).
        problems: a function from the name of a row to its four problems.

    Returns:
        One row per rule, in the order in which rules first appear.
    """
    groups: dict[str, list[Finished]] = {}
    for done in runs:
        groups.setdefault(done.run["rule"], []).append(done)
    others = [group[0].run for group in groups.values()]
    return [_row(name, group, _exact_of(group, groups), epochs, problems, others) for name, group in groups.items()]


def _exact_of(group: list[Finished], groups: Mapping[str, list[Finished]]) -> list[Finished]:
    """The runs of `bptt`, on the same device model if there are any; empty for `bptt` itself, and without it."""
    if is_exact(group[0].run):
        return []
    rows = [other for other in groups.values() if is_exact(other[0].run)]
    same = [other for other in rows if other[0].run.get("hardware") == group[0].run.get("hardware")]
    return next(iter([*same, *rows]), [])


def _row(
    name: str, group: list[Finished], exact: list[Finished], epochs: Sequence[Mapping[str, Any]],
    problems: Callable[[str], Mapping[str, Any]], others: Sequence[Mapping[str, Any]],
) -> dict[str, Any]:  # fmt: skip
    """The row of one rule, from its runs, those of `bptt` and one run of every rule."""
    runs = [done.run for done in group]
    overlap = overlap_of(runs[0])
    difference = paired_difference(_test(group), _test(exact), overlap)
    figures = FIGURES_OF[runs[0].get("task") or "classes"]
    curves = [[row for row in epochs if row["rule"] == name and row["seed"] == run["seed"]] for run in runs]
    return {
        "rule": name,
        "control": runs[0]["control"],
        "controls": beside(runs[0], others),
        **{name: runs[0].get(name) for name in SETTINGS},
        "seeds": len(runs),
        **{f"test_{name}": described([run[f"test_{name}"] for run in runs], overlap) for name in figures},
        **{f"validation_{name}": _of_validation(runs, name, overlap) for name in figures},
        "difference": None if difference is None else {"to": exact[0].run["rule"], **difference},
        "epochs_to": {str(a): reached(curves, a, "epoch") for a in REACHED if figures == ("accuracy",)},
        "seconds_to": {str(a): reached(curves, a, "train_seconds") for a in REACHED if figures == ("accuracy",)},
        "train_seconds": statistics.fmean(run["train_seconds"] for run in runs),
        "peak_memory_mb": _mean([r["peak_memory_mb"] if r.get("peak_memory_of") == "run" else None for r in runs]),
        "spikes_per_sample": statistics.fmean(run["spikes_per_sample"] for run in runs),
        "synops_per_sample": statistics.fmean(run["synops_per_sample"] for run in runs),
        "learning_bytes_per_sample": _mean([_learning_bytes(done) for done in group]),
        "energy_pJ": _mean([energies_of(r).running_pJ for r in runs]),
        "learning_energy_pJ": _mean([energies_of(r).learning_pJ for r in runs]),
        "needs": list(runs[0]["needs"]),
        "problems": dict(problems(name)),
    }


def reached(curves: Sequence[Sequence[Mapping[str, Any]]], accuracy: float, what: str) -> float | None:
    """The epoch in which a validation accuracy was reached, averaged over seeds.

    Args:
        curves: rows of epochs, one list for each seed.
        accuracy: in 0..1.
        what: the column that is averaged, "epoch" or "train_seconds".

    Returns:
        The mean of that column in the first rows that reach the accuracy; None if a seed never does.
    """
    firsts = [
        next((row[what] for row in rows if row["validation_accuracy"] is not None
              and row["validation_accuracy"] >= accuracy), None)
        for rows in curves
    ]  # fmt: skip
    return _mean(firsts)


def _test(group: Sequence[Finished]) -> dict[int, float]:
    """The test accuracy of each seed, in 0..1, or the first figure of another task."""
    return {done.run["seed"]: done.run[f"test_{first_figure(done.run)}"] for done in group}


def _of_validation(runs: Sequence[Mapping[str, Any]], figure: str, overlap: float) -> dict[str, Any] | None:
    """A figure of the validation samples, described; None if a run has none."""
    values = [run[f"validation_{figure}"] for run in runs]
    return described(values, overlap) if all(value is not None for value in values) else None


def _learning_bytes(done: Finished) -> float | None:
    """Bytes that learning moves per sample, in the last epoch; None if the run was not measured."""
    return done.rows[-1]["learning_bytes"]["total"] if done.rows else None


def _mean(values: Sequence[float | int | None]) -> float | None:
    """The mean of values; None if there are no values, or one is missing."""
    present = [value for value in values if value is not None]
    return statistics.fmean(present) if present and len(present) == len(values) else None
