"""The lists of `compare.json` that runs left behind: a row a layer and epoch, a row an epoch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from neurorules.compare.measures.similarity import linear_cka
from neurorules.compare.measures.watch import FOLDER, read_features, read_rows
from neurorules.compare.rows import is_reference
from neurorules.runs.folder import RunFolder

LAYER_KEYS = ("firing_rate", "dead", "saturated", "weight_change", "cka", "probe_accuracy")


class Finished(NamedTuple):
    """A finished run: its result as `compare.json` holds it, its folder, and its lines of measures."""

    run: Mapping[str, Any]
    folder: Path
    rows: list[dict[str, Any]]

    @property
    def key(self) -> dict[str, Any]:
        """What its rows begin with."""
        return {"rule": self.run["rule"], "seed": self.run["seed"]}


def finished(run: Mapping[str, Any], folder: Path) -> Finished:
    """A run with the measures of its own epochs."""
    rows = read_rows(folder / FOLDER)
    return Finished(run, folder, [row for row in rows if row["epoch"] <= run["epochs"]])


def alignment_rows(runs: Sequence[Finished]) -> list[dict[str, Any]]:
    """rule, seed, layer, epoch, cosine, angle_deg, norm_ratio, sign_agreement, signal_angle_deg."""
    return [
        {**found.key, "layer": layer, "epoch": row["epoch"], **measures}
        for found in runs
        for row in found.rows
        for layer, measures in row["alignment"].items()
    ]


def layer_rows(runs: Sequence[Finished]) -> list[dict[str, Any]]:
    """rule, seed, layer, epoch, and `LAYER_KEYS`; cka with `bptt`'s run of the same seed and epoch."""
    made = []
    for found in runs:
        exact = exact_run(found, runs)
        for row in found.rows:
            cka = _cka(found.folder, None if exact is None else exact.folder, row["epoch"])
            for layer, measures in row["layers"].items():
                values = {**measures, "cka": cka.get(layer)}
                made.append(
                    {**found.key, "layer": layer, "epoch": row["epoch"], **{key: values.get(key) for key in LAYER_KEYS}}
                )
    return made


def epoch_rows(runs: Sequence[Finished]) -> list[dict[str, Any]]:
    """rule, seed, epoch, train_accuracy, train_loss, validation_accuracy, train_seconds."""
    keys = ("epoch", "train_accuracy", "train_loss", "validation_accuracy", "train_seconds")
    return [
        {**found.key, **{key: row.get(key) for key in keys}}
        for found in runs
        for row in RunFolder(found.folder).read_metrics()
    ]


def is_exact(run: Mapping[str, Any]) -> bool:
    """Whether a run is of the rule that others are compared with, `bptt` with any options, as torch runs it."""
    return is_reference(run) and run.get("path", "torch") == "torch"


def exact_run(found: Finished, runs: Sequence[Finished]) -> Finished | None:
    """The run of `bptt` with the same seed, on the same device if there is one; None without."""
    same = [a for a in runs if is_exact(a.run) and a.run["seed"] == found.run["seed"]]
    on_device = [a for a in same if a.run.get("hardware") == found.run.get("hardware")]
    return next(iter([*on_device, *same]), None)


def _cka(here: Path, there: Path | None, epoch: int) -> dict[str, float | None]:
    if there is None:
        return {}
    mine, exact = (read_features(folder / FOLDER, epoch) for folder in (here, there))
    return {layer: _compared(mine[layer], exact[layer]) for layer in mine if layer in exact}


def _compared(x: np.ndarray, y: np.ndarray) -> float | None:
    return linear_cka(x, y) if len(x) == len(y) else None
