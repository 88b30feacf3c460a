"""Recording while a run learns: the same samples before the first epoch and after each."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

import torch

from neurorules.language.errors import UserError
from neurorules.runs.folder import RunFolder
from neurorules.runs.outputs import TRACES
from neurorules.torch_path.recording.record import ROWS, PartName, sample_places
from neurorules.torch_path.recording.recorder import Recorder
from neurorules.torch_path.training.batches import TrainingData
from neurorules.torch_path.training.learner import Learner
from neurorules.torch_path.training.report import versions
from neurorules.torch_path.training.watch import Watcher
from neurorules.traces.continued import check_same, continue_trace
from neurorules.traces.header import TraceHeader
from neurorules.traces.store import TraceReader
from neurorules.traces.writer import TraceWriter


class RecordTraining(Watcher):
    """Records a run on validation samples, or on training samples if none are held out, into its folder.

    If a resumed run repeats an epoch, the new recording replaces the earlier one. Use it as a context manager around
    `train(..., watchers=[it])`.

    Args:
        variables, layers: see `record_plan`.
        samples: see `sample_places`.
        resumed: folder of the run to continue; None for a new one.

    Raises:
        UserError: the folder holds a different recording; when a run records first, names or samples are unknown.
    """

    def __init__(
        self, variables: Sequence[str], samples: str = "10", layers: Collection[str] | None = None,
        resumed: Path | None = None,
    ) -> None:  # fmt: skip
        self.variables, self.samples = list(variables), samples
        self.layers = None if layers is None else sorted(layers)
        self.recorder: Recorder | None = None
        if resumed is not None and (resumed / TRACES).is_file():
            with TraceReader(resumed / TRACES) as old:
                check_same(old, self._recording(old.header.recording.get("part")))

    def __enter__(self) -> RecordTraining:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # A run that failed before anything was written leaves no trace behind.
        if self.recorder is not None and self.recorder.writer is not None:
            self.recorder.writer.close()

    def look(self, learner: Learner, data: TrainingData, epoch: int, folder: Path | None) -> None:
        """Record the parameters, and the samples, which are encoded in the same way each time.

        Args:
            learner: as it is.
            data: the data that it learns from.
            epoch: number of epochs done, 0 before the first trial.
            folder: the folder of the run.

        Raises:
            UserError: names or samples are unknown, or the run has no folder.
        """
        name: PartName = "train" if data.validation is None else "validation"
        part = data.train if data.validation is None else data.validation
        places = sample_places(self.samples, len(part), "--record-samples", name)
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
            config["rule"], {}, seed=learner.seed, config=config, versions=versions(), recording=self._recording(part)
        )

        def opens(path: Path, header: TraceHeader) -> TraceWriter:
            return continue_trace(path, header, epoch)

        return Recorder(learner, folder / TRACES, self.variables, self.layers, header, opens)

    def _recording(self, part: Any) -> dict[str, Any]:
        return {"variables": self.variables, "layers": self.layers, "samples": self.samples, "part": part}
