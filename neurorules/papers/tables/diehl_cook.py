"""Diehl & Cook 2015: digits learned without labels by STDP and competition, with 100 and 400 neurons."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from neurorules.compare.table import mean_and_spread
from neurorules.papers.diehl_cook.experiment import DiehlCook, run
from neurorules.papers.experiment import Experiment, Experiments
from neurorules.papers.paper import Paper, Published

PUBLISHED = {100: 82.9, 400: 87.0}
"""Percent, by number of neurons, as recalled of the paper's figure 2; its abstract has 95 for 6,400 neurons."""
IMAGES_IN_BRIAN2 = 200
"""The numbers of images for learning, assignment and test; a presentation in Brian2 takes more than a second."""
QUICK = {"limit": 500, "assigns": 500, "tested": 500}
Results = Sequence[dict[str, Any]]


def diehl_cook(quick: bool = False) -> Paper:
    """Both tables; if `quick`, with a few hundred images, and in torch alone."""
    tables = (_sizes(), _machines())
    return Paper(
        title="Unsupervised learning of digit recognition using STDP",
        source="Diehl, Cook 2015",
        tables=(),
        experiments=(_quick(tables[0]),) if quick else tables,
        notes=(
            "One image at a time, as in the paper: the batch size is 1.",
            "Neurons get their classes by labels of training images alone; test images are shown once, at the end.",
            "Control: weights stay as they were drawn, and thresholds adapt as they do where weights learn.",
            "The paper's 6,400 neurons see all training images fifteen times; a run here sees them once.",
        ),
    )


def _percent(name: str) -> Callable[[Results], str]:
    """A column: the mean of a share over the runs, in percent."""
    return lambda results: f"{100 * mean_and_spread([one[name] for one in results])[0]:.2f}"


COLUMNS = {
    "by shuffled labels %": _percent("shuffled_accuracy"),
    "images": lambda results: f"{results[0]['limit'] * results[0]['epochs']:,}",
    "attempts an image": lambda results: f"{mean_and_spread([one['attempts_per_image'] for one in results])[0]:.2f}",
}


def _row(label: str, settings: DiehlCook, published: float | None = None) -> Experiment:
    trust = None if published is None else Published(published, trust="recalled, unverified")
    return Experiment(label, settings, trust)


def _sizes() -> Experiments:
    """Networks of two sizes, each with its control."""
    rows = []
    for neurons, published in PUBLISHED.items():
        settings = DiehlCook(neurons=neurons)
        rows.append(_row(f"{neurons} neurons", settings, published))
        rows.append(_row(f"control: frozen weights, {neurons} neurons", replace(settings, learns=False)))
    return Experiments("MNIST, one pass", tuple(rows), run, COLUMNS)


def _machines() -> Experiments:
    """A short experiment, once in torch and once in Brian2."""
    few = IMAGES_IN_BRIAN2
    settings = DiehlCook(neurons=100, limit=few, assigns=few, tested=few)
    rows = (
        _row("torch, 100 neurons", settings),
        _row("Brian2, 100 neurons", replace(settings, machine="brian2")),
    )
    return Experiments("The same network on two machines, a few images", rows, run, COLUMNS)


def _quick(table: Experiments) -> Experiments:
    """The table with a few images."""
    return replace(
        table,
        title="MNIST, a few images",
        rows=tuple(replace(row, settings=replace(row.settings, **QUICK)) for row in table.rows),
    )


ENTRY = diehl_cook
