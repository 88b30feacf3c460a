"""Those who look on while a run learns: a recorder, a comparison's measures."""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path

from neurorules.torch_path.training.batches import TrainingData
from neurorules.torch_path.training.learner import Learner


class Watcher(ABC):
    """Looks at a learner between epochs. A run learns the same bits, watched or not: a watcher changes nothing.

    What it writes, it writes by epoch: a run that was killed shows it an epoch again.
    """

    @abstractmethod
    def look(self, learner: Learner, data: TrainingData, epoch: int, folder: Path | None) -> None:
        """Look at a learner without changing it.

        Args:
            learner: as it is; its parameters, state and generator must be left alone.
            data: what it learns from.
            epoch: epochs done, 0 before the first trial.
            folder: of the run; None where nothing is kept.
        """
