"""Observers of a run while it learns, such as a recorder or a comparison's measures."""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path

from neurorules.torch_path.training.batches import TrainingData
from neurorules.torch_path.training.learner import Learner


class Watcher(ABC):
    """Looks at a learner between epochs. It changes nothing, so a run learns the same bits with and without it.

    It stores its results by epoch, since a run that was killed shows it an epoch again.
    """

    @abstractmethod
    def look(self, learner: Learner, data: TrainingData, epoch: int, folder: Path | None) -> None:
        """Look at a learner without changing it.

        Args:
            learner: the learner; its parameters, state and generator must not be changed.
            data: the data that it learns from.
            epoch: the number of epochs done, 0 before the first trial.
            folder: the folder of the run; None if no files are written.
        """
