"""Load a run in continuous time from its folder, also with other settings, such as a shorter step."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from neurorules.brian2_continuous.trainer import prepare, settle
from neurorules.brian2_continuous.training_run import CircuitRun
from neurorules.contracts.data_set import DataPlace
from neurorules.language.config import config_from
from neurorules.language.errors import UserError
from neurorules.language.own_files import standing_for
from neurorules.runs.folder import RunFolder
from neurorules.runs.own_copies import files_of
from neurorules.runs.tensors import to_arrays
from neurorules.torch_path.process.session import own_session
from neurorules.torch_path.training.batches import load_data


@dataclass(frozen=True)
class Revived:
    """A trained circuit and the samples that were held out of its training.

    Args:
        run: the run, whose circuit has the stored weights.
        labels: classes of the held-out samples, (N,); empty if none were held out.
    """

    run: CircuitRun
    labels: np.ndarray

    def answer(self) -> tuple[np.ndarray, dict[str, float]]:
        """Compute the scores (N, C) of the held-out samples, and the mean spikes of a sample, by layer.

        Raises:
            UserError: the run held no samples out.
        """
        part = self.run.data.validation
        if part is None:
            raise UserError(
                "validation samples were asked for, and the run was trained with --validation 0. Train one that holds "
                "some samples out"
            )
        return self.run.answer(part)


@own_session()
def revive(run: Path, data_dir: DataPlace = None, **changed: Any) -> Revived:
    """Load a finished run in continuous time.

    Args:
        run: folder of the run.
        data_dir: folder in which data sets lie; None for the usual one.
        changed: settings that replace those of the run, such as neuron="lif:dt_ms=0.1".

    Returns:
        The run with its stored weights, and the labels of its held-out samples.

    Raises:
        UserError: the folder holds no finished run, its settings have no meaning in continuous time, or its weights do
            not fit them.
    """
    with standing_for(files_of(run)):
        return _revived(run, data_dir, changed)


def _revived(run: Path, data_dir: DataPlace, changed: dict[str, Any]) -> Revived:
    """`revive`, where every name stands for what it stood for in the run."""
    folder = RunFolder.finished(run)
    if "neuron" in changed:
        changed.setdefault("steps", None)  # A run's steps are those of its own neuron.
    config = settle(replace(config_from(folder.config(), str(run)), **changed))
    data = load_data(config, data_dir)
    trained = prepare(config, data, quiet=True)
    trained.stream.load(to_arrays(folder.load_weights()))
    validation = data.validation
    return Revived(trained, np.zeros(0, dtype=np.int64) if validation is None else validation.labels)
