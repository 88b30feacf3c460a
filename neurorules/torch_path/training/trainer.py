"""`train`: from a configuration to a run folder with a result."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from neurorules.contracts.data_set import DataPlace, DataSet
from neurorules.language.config import SettledConfig, TrainConfig
from neurorules.network.foresight import check_trial
from neurorules.rules import RULES
from neurorules.runs.beginning import own_run
from neurorules.runs.interrupt import polite_stop
from neurorules.runs.memory import PeakMemory
from neurorules.torch_path.process.session import own_session
from neurorules.torch_path.process.threads import check_threads, running_on, threads_of
from neurorules.torch_path.training.batches import Data, TrainingData, load_data, settled_by_data
from neurorules.torch_path.training.checks import check_steps
from neurorules.torch_path.training.learner import Learner
from neurorules.torch_path.training.training_run import Position, Run
from neurorules.torch_path.training.watch import Watcher
from neurorules.torch_path.trial.learn import check_window


@own_session()
def train(
    config: TrainConfig,
    out: Path | None = None,
    *,
    data_dir: DataPlace = None,
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
    if not resume:
        check_threads(settled.threads)
    data = data or load_data(settled, data_dir)
    settled = settled_by_data(settled, data.source)
    learner = make_learner(settled, data)
    run = Run(settled, data, learner, None, Position(), quiet, memory, tuple(watchers))
    with ExitStack() as held:
        if out is not None:
            # Only now: a mistake in the settings must not leave a folder behind, or replace a run.
            own = own_run(out, settled, resume, force, lambda stored: settle(stored, data.source))
            run.folder = held.enter_context(own)
            if resume:
                run.restore(run.folder)
        run.at.threads = threads_of(settled, learner.model.network, run.at.threads)
        with polite_stop() as stop, running_on(run.at.threads):
            run.learn(stop)
            return run.finish(data)


@own_session()
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
    check_threads(settled.threads)
    learner = make_learner(settled, data)
    run = Run(settled, data, learner, None, Position(), quiet=True)
    with polite_stop() as stop, running_on(threads_of(settled, learner.model.network, None)):
        run.learn(stop)
    return run.at.validation[-1]


def settle(config: TrainConfig, source: DataSet) -> SettledConfig:
    """The configuration with what its rule and its data set fill in where the user left it open."""
    return settled_by_data(RULES.make(config.rule).settle(config), source)


def make_learner(config: SettledConfig, data: TrainingData) -> Learner:
    """A fresh learner for a configuration and its data."""
    shape, classes = data.source.shape, data.source.classes
    learner = Learner(config.net, input_shape=shape, classes=classes, **config.learner_settings())
    check_steps(learner.model.network, config.steps)
    check_window(learner.model, config.window, config.steps)
    check_trial(learner.model.network, config.window, min(config.batch_size, len(data.train)), learner.dtype)
    return learner
