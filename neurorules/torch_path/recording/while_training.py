"""Recording while a run learns: the same samples before the first epoch and after each."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path

import torch

from neurorules.language.errors import UserError
from neurorules.runs.folder import RunFolder
from neurorules.runs.outputs import TRACES
from neurorules.torch_path.recording.record import ROWS, PartName
from neurorules.torch_path.recording.recorder import Recorder
from neurorules.torch_path.recording.run_recording import RunRecording
from neurorules.torch_path.training.batches import TrainingData
from neurorules.torch_path.training.learner import Learner
from neurorules.torch_path.training.report import versions
from neurorules.torch_path.training.watch import Watcher
from neurorules.traces.continued import continue_trace
from neurorules.traces.header import TraceHeader
from neurorules.traces.writer import TraceWriter


class RecordTraining(RunRecording, Watcher):
    """Records a run: `train(..., watchers=[it])`. Its samples are encoded in the same way each time.

    Args:
        variables, layers: see `record_plan`.
        samples, resumed: as for `RunRecording`.

    Raises:
        UserError: the folder holds a different recording; when a run records first, names or samples are unknown.
    """

    def __init__(
        self, variables: Sequence[str], samples: str = "10", layers: Collection[str] | None = None,
        resumed: Path | None = None,
    ) -> None:  # fmt: skip
        super().__init__(variables, samples, layers, resumed)
        self.recorder: Recorder | None = None

    def close(self) -> None:
        if self.recorder is not None and self.recorder.writer is not None:
            self.recorder.writer.close()

    def look(self, learner: Learner, data: TrainingData, epoch: int, folder: Path | None) -> None:
        """Record the parameters, and the samples.

        Args:
            learner: as it is.
            data: the data that it learns from.
            epoch: number of epochs done, 0 before the first trial.
            folder: the folder of the run.

        Raises:
            UserError: names or samples are unknown, or the run has no folder.
        """
        name, part, places = self.shown(data)
        recorder = self.recorder = self.recorder or self._recorder(learner, epoch, name, folder)
        generator = torch.Generator().manual_seed(learner.seed)
        for start in range(0, len(places) if recorder.plan.samples else 0, ROWS):
            here = places[start : start + ROWS]
            recorder.record(*part.batch(here, generator), here, epoch)
        if recorder.plan.parameters:
            recorder.snapshot(epoch)
        recorder.flush()

    def _recorder(self, learner: Learner, epoch: int, part: PartName, folder: Path | None) -> Recorder:
        if folder is None:
            raise UserError("recording needs the folder of the run. Give --out DIR")
        config = RunFolder(folder).config()
        header = TraceHeader(
            config["rule"], {}, seed=learner.seed, config=config, versions=versions(), recording=self.options(part)
        )

        def opens(path: Path, header: TraceHeader) -> TraceWriter:
            return continue_trace(path, header, epoch)

        return Recorder(learner, folder / TRACES, self.variables, self.layers, header, opens)
