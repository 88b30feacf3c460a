"""Recording while a circuit learns: the same samples before the first epoch and after each."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path

from neurorules.brian2_continuous.record import AT_ONCE, Recording
from neurorules.brian2_continuous.trainer import circuit_of, net_of
from neurorules.brian2_continuous.training_run import CircuitRun, CircuitWatcher
from neurorules.language.errors import UserError
from neurorules.runs.outputs import TRACES
from neurorules.torch_path.recording.run_recording import RunRecording
from neurorules.traces.continued import continue_trace
from neurorules.traces.writer import TraceWriter


class RecordCircuit(RunRecording, CircuitWatcher):
    """Records a run in continuous time. A circuit of its own shows the samples, so that the run learns the same bits as
    without.

    Args:
        variables, layers: see `watched_of`.
        samples, resumed: as for `RunRecording`.

    Raises:
        UserError: the folder holds a recording of something else.
    """

    def __init__(
        self, variables: Sequence[str], samples: str = "10", layers: Collection[str] | None = None,
        resumed: Path | None = None,
    ) -> None:  # fmt: skip
        super().__init__(variables, samples, layers, resumed)
        self._recording: Recording | None = None
        self._writer: TraceWriter | None = None

    def close(self) -> None:
        if self._writer is not None:
            self._writer.close()

    def look(self, run: CircuitRun) -> None:
        """Record the samples, and the parameters.

        Args:
            run: as it is, between two epochs.

        Raises:
            UserError: unknown names or samples, or a run without a folder.
        """
        epoch = run.at.epoch
        name, part, places = self.shown(run.data)
        if self._recording is None:
            net = net_of(run.config, run.data, min(AT_ONCE, len(places)))
            samples = len(places) * (run.config.epochs + 1 - epoch)
            self._recording = Recording(circuit_of(run.config, net), self.variables, self.layers, samples)
        recording = self._recording
        recording.stream.load(run.stream.parameters())
        if self._writer is None:
            if run.folder is None:
                raise UserError("a recording was asked for, and the run has no folder for its trace. Give --out DIR")
            header = recording.header(run.config, self.options(name))
            self._writer = continue_trace(run.folder.path / TRACES, header, epoch)
        recording.write(self._writer, part.labels, run.currents.of(part), places, epoch, lambda count: None)
        self._writer.flush()
