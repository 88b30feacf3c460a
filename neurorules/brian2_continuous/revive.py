"""A run in continuous time back from its folder, also with other settings, such as a shorter step."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from neurorules.brian2_continuous.trainer import CircuitRun, prepare, settle
from neurorules.contracts.data_set import DataPlace
from neurorules.language.config import config_from
from neurorules.runs.folder import RunFolder
from neurorules.runs.tensors import to_arrays
from neurorules.torch_path.training.batches import load_data


@dataclass(frozen=True)
class Revived:
    """A trained circuit and the samples that were held out.

    Args:
        run: it, with what it learned.
        labels: of the held-out samples.
    """

    run: CircuitRun
    labels: np.ndarray

    def answer(self) -> tuple[np.ndarray, dict[str, float]]:
        """Scores of the held-out samples (N, C), and spikes a sample by layer."""
        assert self.run.data.validation is not None
        return self.run.answer(self.run.data.validation)


def revive(run: Path, data_dir: DataPlace = None, **changed: Any) -> Revived:
    """A finished run in continuous time, with other settings where asked, such as neuron="lif:dt_ms=0.1".

    Raises:
        UserError: no finished run there, or its settings cannot be had.
    """
    folder = RunFolder.finished(run)
    config = settle(replace(config_from(folder.config(), str(run)), **changed))
    data = load_data(config, data_dir)
    made = prepare(config, data, quiet=True)
    made.stream.load(to_arrays(folder.load_weights()))
    validation = data.validation
    return Revived(made, np.zeros(0, dtype=np.int64) if validation is None else validation.labels)
