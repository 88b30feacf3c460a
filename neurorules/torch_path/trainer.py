"""`train`: from a configuration to a run folder with a result."""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from math import prod
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import Tensor

from neurorules.datasets._shared import DataSet
from neurorules.language.config import SettledConfig, TrainConfig
from neurorules.language.rates import rate_schedule
from neurorules.rules import RULES
from neurorules.runs import checkpoint
from neurorules.runs.folder import RunFolder, open_run
from neurorules.runs.interrupt import Interrupted, StopFlag, polite_stop
from neurorules.runs.memory import PeakMemory
from neurorules.runs.progress import Bar, progress
from neurorules.series import Series
from neurorules.torch_path.batches import Data, TrainingData, epoch_order, load_data, settled_by_data
from neurorules.torch_path.checks import Diverged, check_steps
from neurorules.torch_path.evaluate import Evaluation, evaluate
from neurorules.torch_path.health import warn_of
from neurorules.torch_path.learn import check_window
from neurorules.torch_path.learner import Learner
from neurorules.torch_path.report import result_of
from neurorules.torch_path.watch import Watcher

Found = TypeVar("Found")
CHECKPOINT_SECONDS = 30.0
WORK_FOR_THREADS = 2**17
"""Neuron steps of a layer and trial that repay a second thread. Source: measured, benchmarks/."""

_log = logging.getLogger(__name__)


@dataclass
class Position:
    """Where a run is: epoch and batch to do next, sums of this epoch so far, seconds spent learning."""

    epoch: int = 0
    batch: int = 0
    loss: float = 0.0
    accuracy: float = 0.0
    seconds: float = 0.0
    validation: list[float | None] = field(default_factory=list)


def train(
    config: TrainConfig,
    out: Path | None = None,
    *,
    data_dir: Path | None = None,
    resume: bool = False,
    force: bool = False,
    quiet: bool = False,
    data: Data | None = None,
    watchers: Sequence[Watcher] = (),
) -> dict[str, Any]:
    """Train one network and return its result.

    Args:
        config: what to train.
        out: run folder; None keeps nothing.
        data_dir: where data sets lie.
        resume, force: go on with the run in `out`, to the same bits as if it had never stopped; replace it.
        quiet: no progress bar.
        data: the configuration's data where it is loaded already.
        watchers: look at the learner before the first epoch and after each; their time is not learning time.

    Raises:
        UserError: a mistake in the configuration, the data or the folder.
        Diverged: a number is no longer finite; the last checkpoint is kept.
        Interrupted: the user stopped it; the checkpoint is saved.
    """
    memory = PeakMemory()
    settled = RULES.make(config.rule).settle(config)
    data = data or load_data(settled, data_dir)
    settled = settled_by_data(settled, data.source)
    learner = make_learner(settled, data)
    folder = None
    if out is not None:
        # Only now: a mistake in the settings must not leave a folder behind, or replace a run.
        folder = open_run(out, settled, resume, force, lambda stored: settle(stored, data.source))
    run = Run(settled, data, learner, folder, Position(), quiet, memory, tuple(watchers))
    if folder is not None and resume:
        run.restore(folder)
    with polite_stop() as stop, cpu_threads(settled, learner):
        run.learn(stop)
        return run.finish(data)


def validation_accuracy(config: TrainConfig, data: TrainingData) -> float | None:
    """Train one network, keep nothing, and return its last epoch's accuracy on held-out training samples.

    Args:
        config: what to train.
        data: of the configuration, without test samples.

    Returns:
        Validation accuracy in 0..1; None where nothing is held out.

    Raises:
        UserError: a mistake in the configuration.
        Diverged: a number is no longer finite.
        Interrupted: the user stopped it.
    """
    settled = settle(config, data.source)
    learner = make_learner(settled, data)
    run = Run(settled, data, learner, None, Position(), quiet=True)
    with polite_stop() as stop, cpu_threads(settled, learner):
        run.learn(stop)
    return run.at.validation[-1]


def settle(config: TrainConfig, source: DataSet) -> SettledConfig:
    """The configuration with what its rule and its data set fill in where the user left it open."""
    return settled_by_data(RULES.make(config.rule).settle(config), source)


@contextmanager
def cpu_threads(config: SettledConfig, learner: Learner) -> Iterator[None]:
    """Run the block with the configuration's number of threads; a small net runs on one, where waking costs more."""
    before = torch.get_num_threads()
    widest = max(prod(layer.shape) * layer.neuron.work for layer in learner.model.network.layers)
    work = config.batch_size * config.steps * widest
    torch.set_num_threads(config.threads or (before if work >= WORK_FOR_THREADS else 1))
    try:
        yield
    finally:
        torch.set_num_threads(before)


def make_learner(config: SettledConfig, data: TrainingData) -> Learner:
    """A fresh learner for a configuration and its data."""
    shape, classes = data.source.shape, data.source.classes
    learner = Learner(config.net, input_shape=shape, classes=classes, **config.learner_settings())
    check_steps(learner.model.network, config.steps)
    check_window(learner.model, config.window, config.steps)
    return learner


@dataclass
class Run:
    """One training run under way; `under_way` holds the sizes of batches whose metrics have not come yet."""

    config: SettledConfig
    data: TrainingData
    learner: Learner
    folder: RunFolder | None
    at: Position
    quiet: bool
    memory: PeakMemory = field(default_factory=PeakMemory)
    watchers: tuple[Watcher, ...] = ()
    under_way: deque[int] = field(default_factory=deque)
    encoding: torch.Generator = field(init=False)
    saved: float = field(default_factory=time.monotonic)

    def __post_init__(self) -> None:
        self.encoding = torch.Generator().manual_seed(self.config.seed + 3_000_017)

    @property
    def batches(self) -> int:
        """Trials an epoch."""
        return -(-len(self.data.train) // self.config.batch_size)

    def learn(self, stop: StopFlag) -> None:
        """All epochs from where the run is."""
        total = self.config.epochs * self.batches
        with progress("training", total, self.quiet) as bar:
            bar.advance(self.at.epoch * self.batches + self.at.batch)
            if self.at.epoch == self.at.batch == 0:
                self._show(0)
            while self.at.epoch < self.config.epochs:
                self._learn_epoch(stop, bar)
                self._close_epoch()

    def _learn_epoch(self, stop: StopFlag, bar: Bar) -> None:
        order = epoch_order(self.config.seed, self.at.epoch, len(self.data.train))
        size, rate = self.config.batch_size, rate_schedule(self.config.lr_schedule)
        while self.at.batch < self.batches:
            started = time.perf_counter()
            chosen = order[self.at.batch * size : (self.at.batch + 1) * size]
            drive, labels = self.data.train.batch(chosen, self.encoding)
            fraction = rate(self.at.epoch + self.at.batch / self.batches, self.config.epochs)
            self.under_way.append(len(labels))
            self._learn(drive, labels, fraction)
            self.at.batch += 1
            self.at.seconds += time.perf_counter() - started
            seen = min(self.at.batch * size, len(self.data.train)) - sum(self.under_way)
            bar.advance(note=f"epoch {self.at.epoch + 1}, accuracy {self.at.accuracy / max(seen, 1):.3f}")
            if stop.requested:
                self._interrupt()
            if time.monotonic() - self.saved > CHECKPOINT_SECONDS:
                self.save()

    def _learn(self, drive: Series, labels: Tensor, fraction: float) -> None:
        metrics = self._guarded(lambda: self.learner.push(drive, labels, fraction))
        self._count([] if metrics is None else [metrics])

    def _flush(self) -> None:
        """Let a pipeline's last batches be learned."""
        self._count(self._guarded(self.learner.flush))

    def _count(self, metrics: list[dict[str, float]]) -> None:
        for found in metrics:
            samples = self.under_way.popleft()
            self.at.loss += found["loss"] * samples
            self.at.accuracy += found["accuracy"] * samples

    def _guarded(self, learn: Callable[[], Found]) -> Found:
        try:
            return learn()
        except Diverged as found:
            kept = "" if self.folder is None else f" The last checkpoint is kept in {self.folder.path}"
            raise Diverged(f"epoch {self.at.epoch + 1}, trial {self.at.batch + 1}: {found}.{kept}") from None

    def _interrupt(self) -> None:
        self.save()
        line = f"stopped in epoch {self.at.epoch + 1}."
        if self.folder is not None:
            again = f"neurorules train --out {self.folder.path} --resume"
            line += f" The checkpoint is saved. Go on with the same options and: {again}"
        raise Interrupted(line)

    def _show(self, epoch: int) -> None:
        if not self.watchers:
            return
        with self.memory.aside():
            for watcher in self.watchers:
                watcher.look(self.learner, self.data, epoch, None if self.folder is None else self.folder.path)

    def _close_epoch(self) -> None:
        self._flush()
        samples = len(self.data.train)
        validation: Evaluation | None = None
        if self.data.validation is not None:
            with self.memory.aside():
                validation = evaluate(self.learner, self.data.validation, self.config.seed)
            for line in warn_of(validation):
                _log.warning(line)
        accuracy = validation.accuracy if validation else None
        row = {
            "epoch": self.at.epoch + 1,
            "train_loss": self.at.loss / samples,
            "train_accuracy": self.at.accuracy / samples,
            "validation_accuracy": accuracy,
            "spikes_per_sample": validation.spikes_per_sample if validation else None,
            "mean_rates": validation.mean_rates if validation else None,
            "train_seconds": self.at.seconds,
            "measures": self.learner.measures(),
        }
        self.at = Position(self.at.epoch + 1, 0, 0.0, 0.0, self.at.seconds, [*self.at.validation, accuracy])
        if self.folder is not None:
            self.folder.append_metrics(row)
        self._show(self.at.epoch)
        self.save()

    def save(self) -> None:
        """Write a checkpoint, where the run has a folder."""
        self.saved = time.monotonic()
        if self.folder is None:
            return
        self._flush()
        tensors = {**self.learner.state(), "encoding": self.encoding.get_state()}
        checkpoint.save(self.folder.path, tensors, vars(self.at))

    def restore(self, folder: RunFolder) -> None:
        """Go back to the last whole checkpoint; from the start where there is none."""
        found = checkpoint.load(folder.path)
        if found is None:
            folder.truncate_metrics(0)
            return
        self.learner.load(found.tensors)
        self.encoding.set_state(found.tensors["encoding"])
        self.at = Position(**found.state)
        folder.truncate_metrics(self.at.epoch)

    def finish(self, data: Data) -> dict[str, Any]:
        """Read the test set, once, and write the result."""
        with self.memory.aside():
            test = evaluate(self.learner, data.test, self.config.seed)
        result = result_of(self.config, data, self.learner, test, self.at.validation, self.at.seconds, self.memory)
        if self.folder is not None:
            self.folder.save_weights(self.learner.state())
            self.folder.write_result(result)
        return result
