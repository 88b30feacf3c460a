"""The measurements during a run of a comparison: every layer, before the first epoch and after each epoch.

`measures/epochs.jsonl` holds one line per epoch, `measures/features0003.npz` what CKA needs, with the weights of the
last epochs. A run that was killed repeats an epoch: its line and files, and later ones, are replaced.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from neurorules.compare.measures.alignment import agreement, probe_trial
from neurorules.compare.measures.costs import learning_bytes
from neurorules.compare.measures.layers import Look, look_at, weight_change
from neurorules.compare.measures.probe_samples import Probe, probe_of
from neurorules.compare.measures.similarity import reduced
from neurorules.contracts.series import Series
from neurorules.network.model import Learned
from neurorules.runs.atomic import replacing, write_text
from neurorules.runs.beginning import MEASURES
from neurorules.runs.plain_json import to_json
from neurorules.runs.tensors import load_tensors, save_tensors
from neurorules.torch_path.process.session import own_session
from neurorules.torch_path.training.batches import TrainingData
from neurorules.torch_path.training.checks import check_drive
from neurorules.torch_path.training.learner import Learner
from neurorules.torch_path.training.watch import Watcher

FOLDER, LINES = MEASURES, "epochs.jsonl"
WARM = 5
"""Number of trials that fill running averages before the first epoch is measured: fresh ones do not normalise yet."""
EPOCHS_OF_WEIGHTS = 2
"""Number of epochs whose weights are kept: a damaged checkpoint takes a run back by more than one."""


@dataclass
class Measures(Watcher):
    """The measurements of one run during training.

    Args:
        batch_size: number of samples of a trial, which share some of the bytes that learning moves.
        rows: the measures so far, one row per epoch.
        weights: weights of the last epoch, by epoch and name.
        probe: the samples to measure with; None until they are chosen.
    """

    batch_size: int = 128
    rows: list[dict[str, Any]] = field(default_factory=list)
    weights: dict[int, dict[str, Tensor]] = field(default_factory=dict)
    probe: Probe | None = None

    def look(self, learner: Learner, data: TrainingData, epoch: int, folder: Path | None) -> None:
        self.probe = self.probe or probe_of(data)
        home = None if folder is None else folder / FOLDER
        if home is not None:
            self.rows = read_rows(home)
            self.weights = {epoch - 1: _stored_weights(home, epoch - 1)}
        with own_session(learner.fast):
            learned = learner.trial_state() if epoch else _warmed(learner, self.probe)
            batch = _ready(learner, *self.probe.update_batch())
            row: dict[str, Any] = {
                "epoch": epoch,
                "alignment": agreement(learner.store.on_hardware(learner.model), learned, *batch),
            }
            looks = look_at(learner, learned, self.probe)
            now = {n: learned.parameters[n].detach().cpu().clone() for _, _, n in learner.model.network.weights()}
            changes = weight_change(learner.model.network, self.weights.get(epoch - 1, {}), now)
            row["layers"] = {name: {**look.measures, "weight_change": changes[name]} for name, look in looks.items()}
            row["learning_bytes"] = _bytes(learner, learned, self.probe, self.batch_size)
        self.rows = [*(r for r in self.rows if r["epoch"] < epoch), row]
        self.weights = {epoch: now}
        if home is not None:
            _store(home, epoch, looks, now, self.rows)


def read_rows(home: Path) -> list[dict[str, Any]]:
    """The rows in a run's folder of measures, one per epoch, oldest first; none if the run was not measured."""
    path = home / LINES
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()] if path.exists() else []


def read_features(home: Path, epoch: int) -> dict[str, np.ndarray]:
    """Read the features that CKA needs of an epoch.

    Args:
        home: a run's folder of measures.
        epoch: number of the epoch, 0 before the first.

    Returns:
        By layer, features (samples, features); empty if they are not there.
    """
    path = _features(home, epoch)
    if not path.exists():
        return {}
    with np.load(path, allow_pickle=False) as arrays:
        return {name: arrays[name] for name in arrays.files}


def close(run: Path) -> None:
    """Remove what a finished run no longer needs: the weights of its last epochs."""
    for path in (run / FOLDER).glob("weights*"):
        path.unlink()


def remove(run: Path) -> None:
    """Remove a run's folder of measures."""
    shutil.rmtree(run / FOLDER, ignore_errors=True)


def _features(home: Path, epoch: int) -> Path:
    """The file with the features that CKA needs of an epoch."""
    return home / f"features{epoch:04d}.npz"


def _weights(home: Path, epoch: int) -> Path:
    """The file of the weights after an epoch."""
    return home / f"weights{epoch:04d}.safetensors"


def _stored_weights(home: Path, epoch: int) -> dict[str, Tensor]:
    """The weights after an epoch, by name; empty if they are not there."""
    path = _weights(home, epoch)
    return load_tensors(path)[0] if path.exists() else {}


def _store(home: Path, epoch: int, looks: dict[str, Look], now: dict[str, Tensor], rows: list[dict[str, Any]]) -> None:
    """Write the measures of an epoch, and remove files of later epochs and old weights."""
    home.mkdir(exist_ok=True)
    for path in (*home.glob("features*.npz"), *home.glob("weights*.safetensors")):
        number = int(path.stem.removeprefix("features").removeprefix("weights"))
        if number > epoch or (path.suffix != ".npz" and number < epoch - EPOCHS_OF_WEIGHTS):
            path.unlink()
    save_tensors(_weights(home, epoch), now)
    with replacing(_features(home, epoch)) as path:
        np.savez_compressed(path, **{name: reduced(look.features) for name, look in looks.items()})  # type: ignore[arg-type]
    write_text(home / LINES, "".join(to_json(row) + "\n" for row in rows))


def _warmed(learner: Learner, probe: Probe) -> Learned:
    """The state before the first epoch, with running averages from some trials that change no parameters."""
    learned = learner.trial_state()
    drive, steps, labels = _ready(learner, *probe.update_batch())
    for _ in range(WARM):
        result = probe_trial(learner.store.on_hardware(learner.model), learned, drive, steps, labels)
        learned = replace(result.learned, parameters=learned.parameters)
    return learned


def _bytes(learner: Learner, learned: Learned, probe: Probe, batch_size: int) -> dict[str, float]:
    """The bytes that learning moves per sample, by name."""
    few = probe.measure_positions[: learner.model.network.classes + 1]
    batch = _ready(learner, *probe.part.batch(few, torch.Generator()))
    count = learning_bytes(learner.store.on_hardware(learner.model), learned, *batch, batch_size)
    return {**count._asdict(), "total": count.total}


def _ready(learner: Learner, drive: Series, labels: Tensor) -> tuple[Series, int, Tensor]:
    """Samples on the learner's device, and their number of steps."""
    series, steps = check_drive(drive, learner.model.network, learner.steps, learner.device, learner.dtype)
    return series, steps, labels.to(learner.device)
