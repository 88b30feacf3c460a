"""The lists of `compare.json` that are built from runs' folders: one row per layer and epoch, or per epoch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from neurorules.compare.measures.similarity import linear_cka
from neurorules.compare.measures.watch import FOLDER, read_features, read_rows
from neurorules.compare.rows import is_reference
from neurorules.contracts.target import FIGURES_OF, OF_ALL
from neurorules.runs.folder import RunFolder

LAYER_KEYS = ("firing_rate", "dead", "saturated", "weight_change", "cka", "probe_accuracy")
"""Measures of a layer in an epoch."""


class Finished(NamedTuple):
    """One run of a comparison that has finished, with its folder.

    Args:
        run: the result of the run, as in `compare.json`.
        folder: the folder of the run.
        rows: the measures, one row per epoch, oldest first.
    """

    run: Mapping[str, Any]
    folder: Path
    rows: list[dict[str, Any]]

    @property
    def key(self) -> dict[str, Any]:
        """The rule and the seed, with which each row of the run begins."""
        return {"rule": self.run["rule"], "seed": self.run["seed"]}


def finished(run: Mapping[str, Any], folder: Path) -> Finished:
    """Read the measures of a finished run.

    Args:
        run: the result of the run, as in `compare.json`.
        folder: the folder of the run.

    Returns:
        The run, with rows of no more epochs than it had.
    """
    rows = read_rows(folder / FOLDER)
    return Finished(run, folder, [row for row in rows if row["epoch"] <= run["epochs"]])


def alignment_rows(runs: Sequence[Finished]) -> list[dict[str, Any]]:
    """Rows of rule, seed, layer, epoch, cosine, angle_deg, norm_ratio, sign_agreement and signal_angle_deg."""
    return [
        {**done.key, "layer": layer, "epoch": row["epoch"], **measures}
        for done in runs
        for row in done.rows
        for layer, measures in row["alignment"].items()
    ]


def layer_rows(runs: Sequence[Finished]) -> list[dict[str, Any]]:
    """Rows of rule, seed, layer, epoch and `LAYER_KEYS`; cka with the run of `bptt` of the same seed and epoch."""
    layers = []
    for done in runs:
        exact = exact_run(done, runs)
        for row in done.rows:
            cka = _cka(done.folder, None if exact is None else exact.folder, row["epoch"])
            for layer, measures in row["layers"].items():
                values = {**measures, "cka": cka.get(layer)}
                layers.append(
                    {**done.key, "layer": layer, "epoch": row["epoch"], **{key: values.get(key) for key in LAYER_KEYS}}
                )
    return layers


def epoch_rows(runs: Sequence[Finished]) -> list[dict[str, Any]]:
    """Rows of rule, seed, epoch, train_accuracy, train_loss, validation_accuracy (or the figures of another task) and
    train_seconds."""
    return [
        {**done.key, **{key: row.get(key) for key in _epoch_keys(done.run)}}
        for done in runs
        for row in RunFolder(done.folder).read_metrics()
    ]


def _epoch_keys(run: Mapping[str, Any]) -> tuple[str, ...]:
    names = FIGURES_OF[run.get("task") or "classes"]
    shown = [name for name in names if name not in OF_ALL]
    train, validation = [f"train_{name}" for name in shown], [f"validation_{name}" for name in names]
    return ("epoch", *train, "train_loss", *validation, "train_seconds")


def is_exact(run: Mapping[str, Any]) -> bool:
    """Whether a run belongs to the reference: `bptt`, with any options, in torch."""
    return is_reference(run) and run.get("path", "torch") == "torch"


def exact_run(run: Finished, runs: Sequence[Finished]) -> Finished | None:
    """Find the run of `bptt` that a run is compared with.

    Args:
        run: the run.
        runs: all runs of the comparison.

    Returns:
        A run of the same seed, on the same device model if there is one; None if there is none of this seed.
    """
    same = [a for a in runs if is_exact(a.run) and a.run["seed"] == run.run["seed"]]
    on_device = [a for a in same if a.run.get("hardware") == run.run.get("hardware")]
    return next(iter([*on_device, *same]), None)


def _cka(here: Path, there: Path | None, epoch: int) -> dict[str, float | None]:
    """By layer, the CKA of two runs in one epoch; empty without a second run."""
    if there is None:
        return {}
    mine, exact = (read_features(folder / FOLDER, epoch) for folder in (here, there))
    return {layer: _compared(mine[layer], exact[layer]) for layer in mine if layer in exact}


def _compared(x: np.ndarray, y: np.ndarray) -> float | None:
    """The CKA of two layers, features (samples, features) each; None if the numbers of samples differ."""
    return linear_cka(x, y) if len(x) == len(y) else None
