"""The recorder, which writes the activity of a learner to a trace file, while it learns or afterwards."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import torch
from torch import Tensor

from neurorules.language.config import PIPELINED
from neurorules.language.errors import UserError
from neurorules.language.paths import path_from
from neurorules.network.layer import Layer
from neurorules.torch_path.process.session import own_session
from neurorules.torch_path.recording.plan import RecordPlan, record_plan
from neurorules.torch_path.recording.rows import Outcome, many_rows, parameter_arrays, population_arrays, synapse_arrays
from neurorules.torch_path.training.arguments import Labels, Spikes, to_series
from neurorules.torch_path.training.checks import check_drive, check_targets
from neurorules.torch_path.training.drives import batch_of
from neurorules.torch_path.training.learner import Learner
from neurorules.torch_path.training.report import versions
from neurorules.torch_path.trial.learn import learn_trial
from neurorules.torch_path.update.figures import metrics_of, scoring_of
from neurorules.traces.header import TraceHeader
from neurorules.traces.writer import TraceWriter

FLUSH_SECONDS = 0.5
"""The time between two flushes, and so the most that a killed process loses. A flush waits for the disk, which costs
time."""


def open_trace(path: Path, header: TraceHeader) -> TraceWriter:
    """Open a new trace file, which is flushed regularly.

    Args:
        path: the path of the file; an existing file is replaced.
        header: the description that the file contains.

    Returns:
        The writer.
    """
    return TraceWriter(path, header, FLUSH_SECONDS)


class Recorder:
    """Writes the activity of a learner to a trace file, without changing the learner. Use it as a context manager.

    A process that is killed loses at most the last half second; `flush` writes everything to the disk. If an error or a
    Ctrl-C ends the block, what was recorded until then is kept, unless an older file has its path: that one stays.

    Args:
        learner: the learner to record.
        path: the new file; an existing file is replaced.
        variables: S, v, x, m, w, b, ...: see `record_plan`.
        layers: names, such as "hidden1" or "hidden1.ff"; None for all.
        header: the description that the file contains, apart from its layers; None to build it from the learner.
        opens: a function that opens the file for a header.

    Raises:
        UserError: a variable or layer is unknown, or the rule does not have it.
    """

    def __init__(
        self,
        learner: Learner,
        path: str | Path,
        variables: Sequence[str] = ("S",),
        layers: Collection[str] | None = None,
        header: TraceHeader | None = None,
        opens: Callable[[Path, TraceHeader], TraceWriter] = open_trace,
    ) -> None:
        self.learner, self.path, self._opens = learner, path_from("path", path), opens
        self.plan: RecordPlan = record_plan(learner.model, learner.learned.parameters, variables, layers)
        self.header = header or TraceHeader(
            learner.model.rule.name, {}, seed=learner.seed, versions=versions(),
            recording={"variables": list(variables), "layers": None if layers is None else sorted(layers),
                       "scores": learner.model.scores},
        )  # fmt: skip
        self.writer: TraceWriter | None = None
        self._recorded = 0

    def __enter__(self) -> Recorder:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            self.close()
        elif self.writer is not None:
            self.writer.__exit__(kind, error, trace)

    def record(
        self, spikes: Spikes, labels: Labels | None = None, indices: Sequence[int] | np.ndarray | None = None,
        epoch: int = -1,
    ) -> Tensor:  # fmt: skip
        """Run samples without learning from them, and write their activity. If variables such as m are recorded, a
        trial runs.

        Args:
            spikes, labels: as in `Learner.step`; labels are needed for variables of trials, such as m.
            indices: the positions of the samples in the data set; None continues the count.
            epoch: number of epochs done, or -1.

        Returns:
            Predicted classes, (B,); -1 where samples have no class. The file holds -1 for their targets, too.

        Raises:
            UserError: shapes are wrong, labels are missing, or a sample is too large.
        """
        learner, drive = self.learner, to_series(batch_of(self.learner, spikes, learning=False))
        response = learner.respond(drive)
        predicted, steps = predicted_classes(learner, response.scores), response.activity[-1].steps
        outcome = Outcome(
            drive, predicted, response.activity, {}, {}, learner.read(), learner.learned.traces, learner.store.chip(),
            layers_of(learner),
        )  # fmt: skip
        network = learner.model.network
        like = learner.device, learner.dtype
        classes = None if labels is None else check_targets(labels, drive, steps, learner.model, like)
        if self.plan.learns:
            if classes is None:
                raise UserError("what a sample would teach (m, reverse, G1) needs its label. Hand over labels")
            placed, _ = check_drive(drive, network, learner.steps, learner.device, learner.dtype)
            generator = torch.Generator(learner.device).manual_seed(learner.seed)  # not the learner's own
            with own_session(learner.fast):
                trial = learn_trial(
                    learner.store.on_hardware(learner.model),
                    learner.trial_state(),
                    placed,
                    steps,
                    classes,
                    generator,
                    apply=lambda _: learner.read(),
                )  # none of its changes are applied
            outcome = outcome._replace(activity=trial.activity, m=trial.third_factors, sent=trial.sent)
        self._write(outcome, classes, indices, epoch)
        return predicted

    def step(
        self, spikes: Spikes, labels: Labels, fraction: float = 1.0, epoch: int = -1
    ) -> dict[str, float]:  # fmt: skip
        """Learn from one batch, as `learner.step` does, and write the activity of that same step, so that nothing runs
        twice.

        Args:
            spikes, labels, fraction: as in `Learner.step`.
            epoch: number of epochs done, or -1.

        Returns:
            Loss, accuracy in 0..1 or figures of another task, and spikes per sample by layer.

        Raises:
            UserError: the schedule does not keep all steps of the trial, or `learner.step` refuses the batch.
        """
        drive = to_series(batch_of(self.learner, spikes, learning=True))
        steps = self.learner.steps if drive.constant else len(drive.values)
        if self.learner.schedule in PIPELINED or self.learner.window < steps:
            raise UserError(
                f"schedule '{self.learner.schedule}' forgets a trial's steps. Use schedule='by_layer', or "
                f"learner.step(...) and then recorder.record(...)"
            )
        before, traces, chip = self.learner.read(), self.learner.learned.traces, self.learner.store.chip()
        layers = layers_of(self.learner)
        if self.plan.synapses:  # learning changes parameters in place
            before = {name: value.clone() for name, value in before.items()}
        trial, series = self.learner.learn(drive, labels, fraction)
        predicted = predicted_classes(self.learner, trial.scores)
        self._write(
            Outcome(drive, predicted, trial.activity, trial.third_factors, trial.sent, before, traces, chip, layers),
            series,
            None,
            epoch,
        )
        return metrics_of(trial.scores, series, trial.spikes, scoring_of(self.learner.model))

    def snapshot(self, epoch: int = -1) -> None:
        """Write the current values of the parameters to record.

        Raises:
            ValueError: no parameter is recorded, or samples are recorded and none has been written yet.
        """
        if not self.plan.parameters:
            raise ValueError("the recorder keeps no parameter: ask for w, b, or one by name")
        if self.writer is None and self.plan.samples:
            raise ValueError("record samples before the first snapshot: the file's layout depends on them")
        parameters = self.learner.read()
        self._opened({}).snapshot(epoch, parameter_arrays(self.plan, parameters))

    def flush(self) -> None:
        """Write everything recorded so far to the disk."""
        if self.writer is not None:
            self.writer.flush()

    def close(self) -> None:
        """Close the trace file; if nothing was recorded, it contains no samples."""
        self._opened(self.plan.shapes(self.learner.learned.parameters, True)).close()

    def discard(self) -> None:
        """Remove the recording; an earlier trace file at the same path is kept."""
        if self.writer is not None:
            self.writer.discard()

    def _opened(self, layers: Mapping[str, tuple[int, ...]]) -> TraceWriter:
        if self.writer is None:
            self.writer = self._opens(self.path, self._header(layers))
        return self.writer

    def _header(self, layers: Mapping[str, tuple[int, ...]]) -> TraceHeader:
        parameters = self.learner.learned.parameters
        changed: dict[str, Any] = {"layers": dict(layers), "units": {"v": "threshold", **self.header.units}}
        changed["parameters"] = {name: tuple(parameters[name].shape) for name in self.plan.parameters}
        return TraceHeader(**{**vars(self.header), **changed})

    def _write(self, outcome: Outcome, labels: Tensor | None, indices: Any, epoch: int) -> None:
        many, plan = len(outcome.predicted), self.plan
        if self.writer is None:
            plan.sample_bytes(self.learner.learned.parameters, outcome.activity[-1].steps)
        writer = self._opened(plan.shapes(self.learner.learned.parameters, outcome.drive.constant))
        places = np.arange(self._recorded, self._recorded + many) if indices is None else np.asarray(indices)
        has_classes = labels is not None and self.learner.model.task == "classes"
        classes = labels.cpu().numpy() if labels is not None and has_classes else np.full(many, -1)
        arrays = population_arrays(plan, outcome)
        for rows in many_rows(plan, many):
            here = {layer: {name: x[:, rows] for name, x in own.items()} for layer, own in arrays.items()}
            here |= synapse_arrays(plan, outcome, rows.start) if plan.synapses else {}
            writer.append_batch(places[rows], classes[rows], here, outcome.predicted.numpy()[rows], epoch)
        self._recorded += many


def layers_of(learner: Learner) -> tuple[Layer, ...]:
    """The layers that a trial runs: with the neurons of the hardware in its current state, and their learned numbers.

    Args:
        learner: the learner to record.

    Returns:
        Hidden layers in order, then the read-out.
    """
    return learner.store.on_hardware(learner.model).bound(learner.read()).network.layers


def predicted_classes(learner: Learner, scores: Tensor) -> Tensor:
    """The predicted class of each sample.

    Args:
        learner: the learner, which knows the kind of targets.
        scores: the scores of the samples, (B, C) if they have classes.

    Returns:
        Classes (B,) on the CPU; -1 where samples have no class.
    """
    return scores.argmax(1).cpu() if learner.model.task == "classes" else torch.full((len(scores),), -1)
