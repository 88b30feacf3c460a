"""One training run in continuous time: its position, its epochs, its checkpoints and its result."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from neurorules.brian2_continuous.parts.circuit import Circuit
from neurorules.brian2_continuous.parts.currents import Currents
from neurorules.brian2_continuous.parts.plan import Order, Plan
from neurorules.brian2_continuous.parts.report import result_of
from neurorules.brian2_continuous.parts.stream import Stream
from neurorules.brian2_continuous.position import Position, position_from
from neurorules.language.config import SettledConfig
from neurorules.language.rates import rate_schedule
from neurorules.runs import checkpoint
from neurorules.runs.beginning import checkpoint_sentence
from neurorules.runs.folder import RunFolder
from neurorules.runs.interrupt import StopFlag, stopped
from neurorules.runs.logs import Log
from neurorules.runs.progress import progress
from neurorules.runs.tensors import from_arrays, to_arrays
from neurorules.torch_path.training.batches import Data, Part, TrainingData, epoch_order
from neurorules.torch_path.training.checks import Diverged
from neurorules.torch_path.training.same_data import DATA, fingerprint, state_without_data
from neurorules.torch_path.training.training_run import CHECKPOINT_SECONDS, GoesOn, to_the_end


class Presented(NamedTuple):
    """The samples of one epoch, in the order in which they are presented.

    Args:
        chosen: indices of the training samples in the order in which they are learned, (N,).
        order: the P presentations, whose samples count in `chosen`.
        eta: factor of all learning rates in each presentation, (P,), >= 0.
    """

    chosen: np.ndarray
    order: Order
    eta: np.ndarray


def presented(config: SettledConfig, plan: Plan, data: TrainingData, epoch: int) -> Presented:
    """Say what is presented in one epoch of a training.

    Args:
        config: configuration of the training.
        plan: how its rule learns.
        data: training and validation samples.
        epoch: number of the epoch, from 0.

    Returns:
        The samples, the presentations, and the factors of learning rates.
    """
    chosen = epoch_order(config.seed, epoch, len(data.train))
    order = plan.order(data.train.labels[chosen], data.source.classes)
    rate, total = rate_schedule(config.lr_schedule), len(order.samples)
    times = epoch + np.arange(total) / total
    return Presented(chosen, order, np.array([rate(float(at), config.epochs) for at in times]))


class CircuitWatcher(ABC):
    """Looks at a run between epochs. The run learns the same bits, watched or not: a watcher changes nothing."""

    @abstractmethod
    def look(self, run: CircuitRun) -> None:
        """Look at a run without changing it.

        Args:
            run: as it is before the first epoch, or after one.
        """


@dataclass
class CircuitRun:
    """A run of training in continuous time, which can stop and go on.

    Args:
        config: configuration of the run.
        data: training and validation samples.
        plan: how the rule learns in continuous time.
        circuit: the equations.
        stream: the running circuit, with its weights.
        currents: training samples as currents.
        quiet: show no progress bar.
        folder: run folder; None for a run that keeps nothing.
        at: how far the run has come.
        saved: when its last checkpoint was written, in seconds of the monotonic clock.
        goes_on: as in `torch_path.training.training_run.Run`.
        watcher: looks at the run before the first epoch that is left and after each; None for nobody.
    """

    config: SettledConfig
    data: TrainingData
    plan: Plan
    circuit: Circuit
    stream: Stream
    currents: Currents
    quiet: bool
    logs: list[Log] = field(default_factory=list)
    folder: RunFolder | None = None
    at: Position = field(default_factory=Position)
    saved: float = field(default_factory=time.monotonic)
    goes_on: GoesOn = to_the_end
    watcher: CircuitWatcher | None = None

    def learn(self, stop: StopFlag) -> None:
        """Learn all epochs that are left.

        Raises:
            Diverged: a number is no longer finite; the last checkpoint is kept.
            Interrupted: a stop was requested; a run with a folder is saved.
        """
        samples = len(self.data.train)
        if self.watcher is not None and not self.at.presentation:
            self.watcher.look(self)
        with progress("training", self.config.epochs * samples, self.quiet) as bar:
            bar.advance(self.at.epoch * samples + self.at.learned)
            while self.at.epoch < self.config.epochs and self.goes_on(self.at.validation):
                try:
                    for count in self._epoch(stop):
                        # A round may hold nothing but presentations of classes, before any sample.
                        accuracy = self.at.right / max(self.at.learned, 1)
                        bar.advance(count, f"epoch {self.at.epoch + 1}, accuracy {accuracy:.3f}")
                    self._close_epoch()
                except Diverged as error:
                    place = checkpoint_sentence(self.folder)
                    raise Diverged(f"epoch {self.at.epoch + 1}: {error}{place and '.' + place}") from None

    def _epoch(self, stop: StopFlag) -> Iterator[int]:
        """Learn one epoch; after each run of the circuit, yield the number of samples that it showed."""
        chosen, order, eta = presented(self.config, self.plan, self.data, self.at.epoch)
        labels = self.data.train.labels[chosen]
        total = len(order.samples)
        rest = order.after(self.at.presentation)
        started = time.perf_counter()
        for scores in self.stream.learn(
            rest, lambda k: self.currents(chosen[k]), eta[self.at.presentation :], begun=self._goes_on()
        ):
            now = labels[self.at.learned : self.at.learned + len(scores)]
            self.at.right += int((scores.argmax(1) == now).sum())
            self.at.learned += len(scores)
            self.at.presentation += min(self.circuit.presentations, total - self.at.presentation)
            self.at.seconds += time.perf_counter() - started
            yield len(scores)
            if stop.requested:
                self._interrupt()
            if time.monotonic() - self.saved > CHECKPOINT_SECONDS:
                self.save()
            started = time.perf_counter()

    def _goes_on(self) -> bool:
        """Whether the circuit stands in the middle of an epoch, and not at rest."""
        return self.at.presentation > 0 and bool(self.stream.passing)

    def _interrupt(self) -> None:
        self.save()
        folder = None if self.folder is None else self.folder.path
        raise stopped(self.at.epoch + 1, folder, "What was learned is saved.")

    def _close_epoch(self) -> None:
        accuracy = None
        if self.data.validation is not None:
            accuracy, _ = self._evaluate(self.data.validation)
        row: dict[str, Any] = {
            "epoch": self.at.epoch + 1,
            "train_loss": None,
            "train_accuracy": self.at.right / self.at.learned,
            "validation_accuracy": accuracy,
            "train_seconds": self.at.seconds,
            "measures": {},
        }
        self.at = Position(self.at.epoch + 1, seconds=self.at.seconds, validation=[*self.at.validation, accuracy])
        if self.folder is not None:
            self.folder.append_metrics(row)
        for log in self.logs:
            log(row)
        if self.watcher is not None:
            self.watcher.look(self)
        self.save()

    def _evaluate(self, part: Part) -> tuple[float, dict[str, float]]:
        """Measure the accuracy in 0..1, and the mean spikes of a sample, by layer."""
        scores, spikes = self.answer(part)
        return float((scores.argmax(1) == part.labels).mean()), spikes

    def answer(self, part: Part) -> tuple[np.ndarray, dict[str, float]]:
        """Compute the scores (N, C) of samples without learning, and the mean spikes of a sample, by layer."""
        rows, spikes = [], dict.fromkeys(self._spiking(), 0.0)
        for scores in self.stream.scores(len(part), self.currents.of(part)):
            rows.append(scores)
            for name in spikes:  # They count on from run to run.
                spikes[name] = float(self.stream.machine.read(f"{name}.spikes").sum())
        return np.concatenate(rows), {name: count / len(part) for name, count in spikes.items()}

    def _spiking(self) -> list[str]:
        return [units.name for units in self.circuit.units if units.threshold is not None]

    def save(self) -> None:
        """Write a checkpoint if the run has a folder."""
        self.saved = time.monotonic()
        if self.folder is not None:
            state = {**vars(self.at), DATA: fingerprint(self.data.source)}
            checkpoint.save(self.folder.path, from_arrays(self.stream.state()), state, self.folder.config())

    def restore(self, folder: RunFolder) -> None:
        """Go back to the last whole checkpoint of a folder, or begin anew where it has none.

        Raises:
            UserError: the checkpoint belongs to another run, it is damaged, or the data have changed since.
        """
        stored = checkpoint.load(folder.path, folder.config())
        if stored is None:
            folder.truncate_metrics(0)
            return
        state = state_without_data(stored.state, self.data.source, self.config.data)
        self.stream.restore(to_arrays(stored.tensors))
        order = presented(self.config, self.plan, self.data, 0).order
        self.at = position_from(state, self.config.epochs, order, self.circuit.presentations)
        folder.truncate_metrics(self.at.epoch)

    def finish(self, data: Data) -> dict[str, Any]:
        """Measure the accuracy on the test samples, which are read here alone, and write the result."""
        accuracy, spikes = self._evaluate(data.test)
        parameters = self.stream.parameters()
        result = result_of(
            self.config, data, self.circuit, parameters, accuracy, spikes, self.at.validation, self.at.seconds
        )
        result["needs"] = sorted(self.plan.needs)
        if self.folder is not None:
            self.folder.save_weights(from_arrays(parameters))
            self.folder.write_result(result)
        return result
