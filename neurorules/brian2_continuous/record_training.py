"""Recording while a circuit learns: the same samples before the first epoch and after each."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

from neurorules.brian2_continuous.record import AT_ONCE, Recording
from neurorules.brian2_continuous.trainer import circuit_of, net_of
from neurorules.brian2_continuous.training_run import CircuitRun, CircuitWatcher
from neurorules.language.errors import UserError
from neurorules.runs.outputs import TRACES
from neurorules.torch_path.recording.record import PartName, sample_places
from neurorules.traces.continued import check_same, continue_trace
from neurorules.traces.store import TraceReader
from neurorules.traces.writer import TraceWriter


class RecordCircuit(CircuitWatcher):
    """Writes what a run does on validation samples (training samples where none are held out) into its folder.

    A circuit of its own shows them, so that the run learns the same bits as without. Use it as a context manager.

    Args:
        variables, layers: see `watched_of`.
        samples: see `sample_places`.
        resumed: folder of the run to continue; None for a new one.

    Raises:
        UserError: the folder holds a recording of something else.
    """

    def __init__(
        self, variables: Sequence[str], samples: str = "10", layers: Collection[str] | None = None,
        resumed: Path | None = None,
    ) -> None:  # fmt: skip
        self._variables, self._samples = list(variables), samples
        self._layers = None if layers is None else sorted(layers)
        self._recording: Recording | None = None
        self._writer: TraceWriter | None = None
        if resumed is not None and (resumed / TRACES).is_file():
            with TraceReader(resumed / TRACES) as old:
                check_same(old, self._options(old.header.recording.get("part")))

    def __enter__(self) -> RecordCircuit:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._writer is not None:
            self._writer.close()

    def look(self, run: CircuitRun) -> None:
        """Record the samples, and the parameters.

        Args:
            run: as it is, between two epochs.

        Raises:
            UserError: unknown names or samples, or a run without a folder.
        """
        data, epoch = run.data, run.at.epoch
        name: PartName = "train" if data.validation is None else "validation"
        part = data.train if data.validation is None else data.validation
        places = sample_places(self._samples, len(part), "--record-samples", name)
        if self._recording is None:
            net = net_of(run.config, data, min(AT_ONCE, len(places)))
            samples = len(places) * (run.config.epochs + 1 - epoch)
            self._recording = Recording(circuit_of(run.config, net), self._variables, self._layers, samples)
        recording = self._recording
        recording.stream.load(run.stream.parameters())
        if self._writer is None:
            if run.folder is None:
                raise UserError("a recording was asked for, and the run has no folder for its trace. Give --out DIR")
            header = recording.header(run.config, self._options(name))
            self._writer = continue_trace(run.folder.path / TRACES, header, epoch)
        recording.write(self._writer, part.labels, run.currents.of(part), places, epoch, lambda count: None)
        self._writer.flush()

    def _options(self, part: Any) -> dict[str, Any]:
        return {"variables": self._variables, "layers": self._layers, "samples": self._samples, "part": part}
