"""Stored results: one JSON file for each command, in docs/results/data/. Everything the pages show is read from them.

A file holds `command`, `commit`, `date`, `machine` and `note`, and one of two things. `runs`: a record for each run, as
`store.py` takes them from a comparison. `columns` and `rows`: a table as it stood on a page, where the runs themselves
were not kept; its `commit` is the one whose page was read, and its `note` says of which settings it is.
"""

from __future__ import annotations

import json
import re
import statistics
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from neurorules.compare.measures.statistics import interval

FOLDER = Path(__file__).resolve().parent.parent / "results" / "data"
NUMBER = re.compile(r"[-+]?(?:\d[\d,]*(?:\.\d+)?|\.\d+)")
PAIRED = re.compile(r"to `(?P<row>.+)`, paired, 95 %")
KEPT = ("command", "commit", "date", "machine", "note")

Run = dict[str, Any]
_FILES: dict[str, Stored] = {}


class FigureError(Exception):
    """A page asks for what is not stored, or differs from it; the message says where."""


class Stored(ABC):
    """One file of results: rows by label, columns by head."""

    @abstractmethod
    def labels(self) -> list[str]:
        """Names of the rows, in order."""

    @abstractmethod
    def text(self, label: str, head: str) -> str | None:
        """What a table shows of a row in the column of that head; None where the file has no such row or column."""

    @abstractmethod
    def numbers(self, label: str, head: str) -> list[float]:
        """The numbers of a cell, unrounded where runs are stored: of `mean ± spread` the mean is the first."""


@dataclass(frozen=True)
class OfRuns(Stored):
    """Records of runs.

    Args:
        runs: each with `row` (the label), `seed`, `test_accuracy` in 0..1, and what else its columns need.
    """

    runs: list[Run]

    def labels(self) -> list[str]:
        return list(dict.fromkeys(run["row"] for run in self.runs))

    def text(self, label: str, head: str) -> str | None:
        label, head = _on_device(label, head)
        paired = PAIRED.fullmatch(head)
        if paired:
            bounds = self.numbers(label, head)
            return "{:+.2f} to {:+.2f}".format(*bounds) if bounds else ""
        return COLUMNS[head][1](self._of(label)) if head in COLUMNS and self._of(label) else None

    def numbers(self, label: str, head: str) -> list[float]:
        label, head = _on_device(label, head)
        paired = PAIRED.fullmatch(head)
        if paired:
            return self._paired(label, paired["row"])
        return COLUMNS[head][0](self._of(label)) if head in COLUMNS else []

    def _of(self, label: str) -> list[Run]:
        return [run for run in self.runs if run["row"] == label]

    def _paired(self, label: str, other: str) -> list[float]:
        """Bounds of the mean difference of two rows, paired by seed, in points; none without two seeds, or of a row."""
        here, there = ({run["seed"]: run for run in self._of(name)} for name in (label, other))
        seeds = sorted(here.keys() & there.keys())
        if label == other or len(seeds) < 2:
            return []
        differences = [100 * (here[seed]["test_accuracy"] - there[seed]["test_accuracy"]) for seed in seeds]
        found = interval(differences, overlap=here[seeds[0]].get("overlap", 0.0))
        return [bound for bound in (found.low, found.high) if bound is not None]


@dataclass(frozen=True)
class OfPage(Stored):
    """A table that was read off a page.

    Args:
        columns: heads; the first is that of the labels.
        rows: cells as they stood. A label may name a rule on a device, as a head such as `running, nJ @ loihi` does.
    """

    columns: list[str]
    rows: list[list[str]]

    def labels(self) -> list[str]:
        return [row[0] for row in self.rows]

    def text(self, label: str, head: str) -> str | None:
        label, head = _on_device(label, head, self.columns)
        if head not in self.columns:
            return None
        return next((row[self.columns.index(head)] for row in self.rows if row[0] == label), None)

    def numbers(self, label: str, head: str) -> list[float]:
        return [float(found.replace(",", "")) for found in NUMBER.findall(self.text(label, head) or "")]


def opened() -> frozenset[str]:
    """Names of the files that were read so far."""
    return frozenset(_FILES)


def stored(name: str) -> Stored:
    """The file of that name.

    Raises:
        FigureError: there is none, or it does not say where its results come from.
    """
    if name in _FILES:
        return _FILES[name]
    path = FOLDER / f"{name}.json"
    if not path.is_file():
        raise FigureError(f"{path} is missing: a page shows results of '{name}'")
    content = json.loads(path.read_text(encoding="utf-8"))
    missing = [key for key in KEPT if key not in content]
    if missing:
        raise FigureError(f"{path} lacks {', '.join(missing)}")
    _FILES[name] = OfRuns(content["runs"]) if "runs" in content else OfPage(content["columns"], content["rows"])
    return _FILES[name]


def _on_device(label: str, head: str, columns: Collection[str] | None = None) -> tuple[str, str]:
    """The row on a device that a head such as `test % @ loihi` means, and the head without it."""
    column, at, device = head.partition(" @ ")
    return (f"{label} @ {device}", column) if at and column in (columns or COLUMNS) else (label, head)


def _mean(field: str, factor: float = 1.0) -> Callable[[Sequence[Run]], list[float]]:
    def numbers(runs: Sequence[Run]) -> list[float]:
        values = [run[field] for run in runs if run.get(field) is not None]
        return [factor * statistics.fmean(values)] if len(values) == len(runs) else []

    return numbers


def _by_layer(field: str) -> Callable[[Sequence[Run]], list[float]]:
    """Means over seeds of what a run holds for each layer."""
    return lambda runs: [statistics.fmean(layer) for layer in zip(*(run.get(field) or [] for run in runs), strict=True)]


def _test(runs: Sequence[Run]) -> list[float]:
    values = [100 * run["test_accuracy"] for run in runs]
    return [statistics.fmean(values), *([statistics.stdev(values)] if len(values) > 1 else [])]


def _shown(style: str, join: str = "", end: str = "") -> Callable[[list[float]], str]:
    """Numbers in one format, or `-` where there are none."""
    return lambda numbers: join.join(format(number, style) for number in numbers) + end if numbers else "-"


def _share(numbers: list[float]) -> str:
    return ", ".join("1" if number > 0.995 else f"{number:.2f}".lstrip("0") for number in numbers)


def _rate(field: str) -> Callable[[Sequence[Run]], str]:
    return lambda runs: ", ".join(dict.fromkeys("-" if run.get(field) is None else f"{run[field]:g}" for run in runs))


def _needs(runs: Sequence[Run]) -> str:
    return ", ".join(need.replace("_", " ") for need in runs[0]["needs"]) or "nothing"


def _column(
    numbers: Callable[[Sequence[Run]], list[float]], text: Callable[[list[float]], str]
) -> tuple[Callable[[Sequence[Run]], list[float]], Callable[[Sequence[Run]], str]]:
    return numbers, lambda runs: text(numbers(runs))


COLUMNS: dict[str, tuple[Callable[[Sequence[Run]], list[float]], Callable[[Sequence[Run]], str]]] = {
    "test %": _column(_test, _shown(".2f", " ± ")),
    "validation %": _column(_mean("validation_accuracy", 100), _shown(".2f")),
    "by shuffled labels %": _column(_mean("shuffled_accuracy", 100), _shown(".2f")),
    "spikes a sample": _column(_mean("spikes_per_sample"), _shown(".0f")),
    "seconds": _column(_mean("train_seconds"), _shown(".1f")),
    "seeds": _column(lambda runs: [len(runs)], _shown(".0f")),
    "rate": (lambda runs: [runs[0]["lr"]], _rate("lr")),
    "read-out's rate": (lambda runs: [runs[0]["readout_lr"]], _rate("readout_lr")),
    "what the signal needs": (lambda runs: [], _needs),
    "angle to the gradient, layers 1, 2, 3": _column(_by_layer("angle_deg"), _shown(".0f", ", ", "°")),
    "angle to BPTT's update, layers 1, 2, 3": _column(_by_layer("signal_angle_deg"), _shown(".0f", ", ", "°")),
    "angle to the gradient after one epoch": _column(_by_layer("angle_deg_epoch_1"), _shown(".0f", ", ", "°")),
    "length over BPTT's": _column(_by_layer("norm_ratio"), _share),
    "share of equal signs": _column(_by_layer("sign_agreement"), _share),
    "probe, %": (lambda runs: [100 * share for share in _by_layer("probe_accuracy")(runs)], _needs),
    "CKA with BPTT's layers": _column(_by_layer("cka"), _share),
    "bytes moved to learn a sample": _column(_mean("learning_bytes_per_sample", 1e-3), _shown(",.0f", "", " kB")),
}
"""Columns of stored runs by their heads: the numbers of a row's runs, and how a table shows them."""
