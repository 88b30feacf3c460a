"""One training run: epochs, batches, checkpoints, and the result at its end."""

from __future__ import annotations

import json
import logging
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor

from neurorules.contracts.series import Series
from neurorules.contracts.target import FIGURES, FIGURES_OF
from neurorules.language.augmentation import Augmentation
from neurorules.language.config import SettledConfig
from neurorules.language.rates import rate_schedule
from neurorules.native.compile import clock
from neurorules.runs import checkpoint
from neurorules.runs.beginning import checkpoint_sentence
from neurorules.runs.folder import RunFolder
from neurorules.runs.interrupt import StopFlag, stopped
from neurorules.runs.logs import Log
from neurorules.runs.memory import PeakMemory
from neurorules.runs.progress import Bar, progress
from neurorules.torch_path.training.augmented import augmentation_for
from neurorules.torch_path.training.batches import Data, TrainingData, epoch_order
from neurorules.torch_path.training.checks import Diverged
from neurorules.torch_path.training.evaluate import Evaluation, evaluate
from neurorules.torch_path.training.health import Health
from neurorules.torch_path.training.learner import Learner
from neurorules.torch_path.training.on_ranks import begin_alike
from neurorules.torch_path.training.position import Position, position_of
from neurorules.torch_path.training.rank_pipe import SAVE, RankPipe
from neurorules.torch_path.training.report import result_of
from neurorules.torch_path.training.same_data import DATA, fingerprint, state_without_data
from neurorules.torch_path.training.watch import Watcher
from neurorules.torch_path.update.figures import figure_names, scoring_of

Result = TypeVar("Result")
CHECKPOINT_SECONDS = 30.0
"""The time between two checkpoints."""
GoesOn = Callable[[Sequence[float | None]], bool]
"""A function from the figures on held-out samples after each epoch to whether a run learns a next one."""

_log = logging.getLogger(__name__)


def to_the_end(validation: Sequence[float | None]) -> bool:
    """Whether the next epoch is learned: always.

    Args:
        validation: the figures on held-out samples after each epoch, which are ignored.

    Returns:
        True.
    """
    return True


@dataclass
class Run:
    """A training run with its data, learner and folder.

    Args:
        config: the settled configuration.
        data: the data that it learns from.
        learner: the learner.
        folder: the folder of the run; None writes no files.
        at: the position of the run.
        quiet: show no progress bar.
        memory: the memory of the process.
        watchers: observers that look at the learner before the first epoch and after each one.
        logs: the logs that get a row after each epoch.
        under_way: the sizes of the batches whose metrics have not come yet, oldest first.
        goes_on: a function from the figures on held-out samples so far to whether the next epoch is learned.
    """

    config: SettledConfig
    data: TrainingData
    learner: Learner
    folder: RunFolder | None
    at: Position
    quiet: bool
    memory: PeakMemory = field(default_factory=PeakMemory)
    watchers: tuple[Watcher, ...] = ()
    logs: list[Log] = field(default_factory=list)
    under_way: deque[int] = field(default_factory=deque)
    goes_on: GoesOn = to_the_end
    health: Health = field(init=False, default_factory=Health)
    encoding: torch.Generator = field(init=False)
    augmentation: Augmentation | None = field(init=False)
    saved: float = field(default_factory=time.monotonic)
    validated: Evaluation | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        self.encoding = torch.Generator().manual_seed(self.config.seed + 3_000_017)
        self.augmentation = augmentation_for(self.config.augment, self.data.source)

    @property
    def batches(self) -> int:
        """Number of trials in an epoch."""
        whole, rest = divmod(len(self.data.train), self.config.batch_size)
        # A single last sample has no other one whose targets it could learn from, so it joins the batch before.
        return whole + (rest > (self.config.targets == "shuffled" and whole > 0))

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the figures of a batch."""
        return figure_names(scoring_of(self.learner.model))

    @property
    def writes(self) -> bool:
        """Whether this process writes files and messages: the first of several ranks, or the only process."""
        return self.learner.ranks is None or self.learner.ranks.first

    @property
    def layers(self) -> RankPipe | None:
        """The layers of this rank, if ranks learn a layer or some each; otherwise None."""
        pipe = self.learner.pipe
        return pipe if isinstance(pipe, RankPipe) else None

    def place(self, batch: int) -> slice:
        """The positions of a batch's samples in the order of its epoch."""
        size = self.config.batch_size
        return slice(batch * size, None if batch == self.batches - 1 else (batch + 1) * size)

    def learn(self, stop: StopFlag) -> None:
        """Learn all epochs from the present position, until a stop is requested, or `goes_on` returns False."""
        with progress("training", self.config.epochs * self.batches, self.quiet) as bar:
            bar.advance(self.at.epoch * self.batches + self.at.batch)
            if self.at.epoch == self.at.batch == 0:
                self._show(0)
            while self.at.epoch < self.config.epochs and self.goes_on(self.at.validation):
                self._learn_epoch(stop, bar)
                self._close_epoch()

    def _learn_epoch(self, stop: StopFlag, bar: Bar) -> None:
        order = epoch_order(self.config.seed, self.at.epoch, len(self.data.train))
        rate, ranks = rate_schedule(self.config.lr_schedule), self.learner.ranks
        if ranks is not None:
            ranks.stop = stop
        while self.at.batch < self.batches:
            started = clock()
            drive, labels = self._batch(order[self.place(self.at.batch)])
            fraction = rate(self.at.epoch + self.at.batch / self.batches, self.config.epochs)
            self.under_way.append(len(labels))
            saves = time.monotonic() - self.saved > CHECKPOINT_SECONDS
            if self.layers is not None:
                self.layers.save_due = saves
            self._learn(drive, labels, fraction)
            if self.layers is not None:  # all ranks empty the pipeline after the same batch
                saves = self.layers.word == SAVE
            self.at.batch += 1
            self.at.seconds += clock() - started
            learned = len(order[: self.place(self.at.batch - 1).stop]) - sum(self.under_way)
            bar.advance(note=self._so_far(learned))
            if stop.requested if ranks is None else ranks.stop_requested:  # all ranks stop after the same batch
                self._interrupt()
            if saves:
                self.save()

    def _batch(self, chosen: np.ndarray) -> tuple[Series, Tensor]:
        """Read a batch of samples and labels. A rank whose layers do not read the samples takes the labels alone."""
        if self.layers is not None and not self.layers.reads_samples:
            return self.layers.unread(len(chosen)), torch.from_numpy(self.data.train.labels[chosen])
        started = time.perf_counter()
        batch = self.data.train.batch(chosen, self.encoding, self.augmentation)
        if self.layers is not None:
            self.layers.reading_seconds = time.perf_counter() - started
        return batch

    def _learn(self, drive: Series, labels: Tensor, fraction: float) -> None:
        metrics = self._guarded(lambda: self.learner.push(drive, labels, fraction))
        self._count([] if metrics is None else [metrics])

    def _flush(self) -> None:
        """Learn the last batches in a pipeline, if there are any."""
        if self.under_way:
            started = clock()
            self._count(self._guarded(self.learner.flush))
            self.at.seconds += clock() - started

    def _count(self, metrics: list[dict[str, float]]) -> None:
        for figures in metrics:
            samples = self.under_way.popleft()
            for name in self.names:
                self.at.sums[name] = self.at.sums.get(name, 0.0) + figures[name] * samples

    def _so_far(self, samples: int) -> str:
        """The epoch and its figure so far, for the progress bar."""
        name, epoch = self.names[1], f"epoch {self.at.epoch + 1}"
        return epoch if samples < 1 else f"{epoch}, {FIGURES[name].words} {self.at.sums.get(name, 0.0) / samples:.3f}"

    def _guarded(self, learn: Callable[[], Result]) -> Result:
        """Call a function, and if numbers diverge, say in the error when, and where the checkpoint is."""
        try:
            return learn()
        except Diverged as error:
            at = f"epoch {self.at.epoch + 1}, trial {self.at.batch + 1}"
            raise type(error)(f"{at}: {error}.{checkpoint_sentence(self.folder)}") from None

    def _interrupt(self) -> None:
        self.save()
        raise stopped(self.at.epoch + 1, None if self.folder is None else self.folder.path, "The checkpoint is saved.")

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
            for line in self.health.news(validation, self.learner.model.network.hidden) if self.writes else ():
                _log.warning(line)
        figures = FIGURES_OF[self.learner.model.task]
        validated = {name: validation.figures[name] if validation else None for name in figures}
        row = {
            "epoch": self.at.epoch + 1,
            **{f"train_{name}": self.at.sums.get(name, 0.0) / samples for name in self.names},
            **{f"validation_{name}": value for name, value in validated.items()},
            "spikes_per_sample": validation.spikes_per_sample if validation else None,
            "mean_rates": validation.mean_rates if validation else None,
            "train_seconds": self.at.seconds,
            "measures": self.learner.measures(),
        }
        history = [*self.at.validation, validated[figures[0]]]
        self.at = replace(self.at, epoch=self.at.epoch + 1, batch=0, sums={}, validation=history)
        self.validated = validation
        if self.folder is not None:
            self.folder.append_metrics(row)
        for log in self.logs:
            log(row)
        self._show(self.at.epoch)
        self.save()

    def save(self) -> None:
        """Write a checkpoint, if the run has a folder."""
        self.saved = time.monotonic()
        if self.folder is None and self.layers is None:
            return
        self._flush()
        if self.folder is None:
            return
        tensors = {**self.learner.state(), "encoding": self.encoding.get_state()}
        state = {**vars(self.at), DATA: fingerprint(self.data.source)}
        checkpoint.save(self.folder.path, tensors, state, self.folder.config())

    def restore(self, folder: RunFolder) -> None:
        """Return to the last intact checkpoint, or to the start if there is none.

        Raises:
            UserError: the data have changed since.
        """
        stored = checkpoint.load(folder.path, folder.config())
        if stored is None:
            folder.truncate_metrics(0)
            return
        state = state_without_data(stored.state, self.data.source, self.config.data)
        tensors = dict(stored.tensors)
        encoding = tensors.pop("encoding")
        self.learner.load(tensors)
        self.encoding.set_state(encoding)
        self.at = position_of(state)
        folder.truncate_metrics(self.at.epoch)

    def begin_alike(self) -> None:
        """Let every rank begin with the position, the draws and the learner of the first rank."""
        ranks, learner = self.learner.ranks, self.learner
        if ranks is None:
            return
        self.at = position_of(json.loads(ranks.from_first(json.dumps(vars(self.at)).encode())))
        draws = ranks.from_first(self.encoding.get_state().numpy().tobytes())
        self.encoding.set_state(torch.frombuffer(bytearray(draws), dtype=torch.uint8))
        begin_alike(ranks, learner)
        learner.alike = True

    def finish(self, data: Data) -> dict[str, Any]:
        """Read the test set, once, and write the result."""
        with self.memory.aside():
            test = evaluate(self.learner, data.test, self.config.seed)
            validation = self.validated
            if validation is None and data.validation is not None:  # the last epoch was learned by an earlier process
                validation = evaluate(self.learner, data.validation, self.config.seed)
        result = result_of(self.config, data, self.learner, test, validation, self.at.seconds, self.memory)
        if self.folder is not None:
            self.folder.save_weights(self.learner.state())
            self.folder.write_result(result)
        return result
