"""`train`: from a configuration to a run folder with a result."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, nullcontext
from pathlib import Path
from typing import Any

from neurorules.contracts.data_set import DataPlace, DataSet
from neurorules.exchange.imported import Imported
from neurorules.language.config import SettledConfig, TrainConfig
from neurorules.network.foresight import check_trial
from neurorules.rules import RULES
from neurorules.runs import own_copies
from neurorules.runs.beginning import checkpoint_sentence, own_run
from neurorules.runs.folder import RunFolder
from neurorules.runs.interrupt import polite_stop
from neurorules.runs.logs import close_logs, logs_of_run
from neurorules.runs.memory import PeakMemory
from neurorules.torch_path.process.ranks import RankLost, over_ranks
from neurorules.torch_path.process.session import own_session
from neurorules.torch_path.process.threads import check_threads, running_on, threads_of
from neurorules.torch_path.training.batches import Data, TrainingData, load_data, settled_by_data, sizes_of
from neurorules.torch_path.training.checks import check_steps
from neurorules.torch_path.training.learner import Learner
from neurorules.torch_path.training.own_parts import own_files_of
from neurorules.torch_path.training.stored_net import load_net, save_net
from neurorules.torch_path.training.training_run import GoesOn, Position, Run, to_the_end
from neurorules.torch_path.training.watch import Watcher
from neurorules.torch_path.trial.learn import check_window

_log = logging.getLogger(__name__)


@own_session()
def train(
    config: TrainConfig, out: Path | None = None, *, data_dir: DataPlace = None, resume: bool = False,
    force: bool = False, quiet: bool = False, data: Data | None = None, net: Imported | None = None,
    watchers: Sequence[Watcher] = (), log: Sequence[str] = (),
) -> dict[str, Any]:  # fmt: skip
    """Train one network and return its result.

    Args:
        config: what to train. On several ranks each learns from its share of every batch, and the first writes.
        out: run folder; None keeps nothing.
        data_dir: where data sets lie; None for the usual place.
        resume: go on with the run in `out`, to the same bits as if it had never stopped.
        force: replace the run in `out`.
        quiet: no progress bar.
        data: the configuration's data where it is loaded already; None to load it.
        net: that of the configuration where it is made of modules; a run that goes on has its own in `out`.
        watchers: look at the learner before the first epoch and after each; their time is not learning time.
        log: kinds of logs that are written into the run folder beside its metrics (see `runs.logs`).

    Returns:
        Settings and figures by name, as `report.result_of` gives them.

    Raises:
        UserError: a mistake in the configuration, the data or the folder.
        Diverged: a number is no longer finite; the last checkpoint is kept.
        Interrupted: the user stopped it; the checkpoint is saved.
    """
    with ExitStack() as stack:
        ranks = stack.enter_context(over_ranks())
        memory = PeakMemory()
        with nullcontext() if ranks is None else ranks.together():
            complete = RULES.make(config.rule).settle(config)
            if not resume:
                check_threads(complete.threads)
            data = data or load_data(complete, data_dir)
            complete = settled_by_data(complete, data.source)
            if resume and out is not None and RunFolder(out).config().get("net") == complete.net:
                net = load_net(out, complete.net)  # with the weights that the run began with
            run = Run(complete, data, make_learner(complete, data, net), None, Position(), quiet, memory)
            if out is not None and run.writes:
                # Only now: a mistake in the settings must not leave a folder behind, or replace a run.
                own = own_run(out, complete, resume, force, lambda stored: settle(stored, data.source))
                run.folder = stack.enter_context(own)
                if resume:
                    own_copies.check_unchanged(out, own_files_of(complete))
                    run.restore(run.folder)
                else:
                    own_copies.keep(out, own_files_of(complete))
                    if net is not None:
                        save_net(out, net)
                run.logs = logs_of_run(log, out, run.folder.read_metrics())
                stack.callback(close_logs, run.logs)
        run.watchers = tuple(watchers) if run.writes else ()
        _warn_of_misfits(run, resume)
        with _told_where(run):
            run.begin_alike()
            run.at.threads = threads_of(complete, run.learner.model.network, run.at.threads if ranks is None else None)
            with polite_stop() as stop, running_on(run.at.threads):
                run.learn(stop)
                return run.finish(data)


def _warn_of_misfits(run: Run, resume: bool) -> None:
    """Say where a run begins that its rule is computed beside a chip whose own learning engine could not say it."""
    chip, rule, hardware = run.learner.store.chip(), run.learner.model.rule, run.config.hardware
    missing = () if chip is None or resume or not run.writes else chip.misfits(rule)
    if missing:
        _log.warning(
            "the learning engine of %s cannot say '%s' of rule '%s', because %s: the rule is computed beside the chip. "
            "Its option rules=engine refuses such rules; 'neurorules list rules --hardware NAME' names those that fit",
            hardware, missing[0].term, rule.name, missing[0].why,
        )  # fmt: skip


@contextmanager
def _told_where(run: Run) -> Iterator[None]:
    """Add to the error of a rank that is lost in the block where the checkpoint is, and how the run goes on."""
    try:
        yield
    except RankLost as lost:
        checkpoint = checkpoint_sentence(run.folder)
        again = " Start again with the same options and --resume" if checkpoint else ""
        raise RankLost(f"{lost}.{checkpoint}{'.' if again else ''}{again}") from None


@own_session()
def validation_curve(config: TrainConfig, data: TrainingData, goes_on: GoesOn = to_the_end) -> list[float | None]:
    """Train one network, keep nothing, and return its accuracy on held-out training samples after each epoch, or the
    first figure of another task.

    Args:
        config: what to train.
        data: of the configuration, without test samples.
        goes_on: whether the next epoch is learned, told the figures so far.

    Returns:
        Validation accuracy in 0..1 after each epoch, or the other figure; None where nothing is held out.

    Raises:
        UserError: a mistake in the configuration.
        Diverged: a number is no longer finite.
        Interrupted: the user stopped it.
    """
    complete = settle(config, data.source)
    check_threads(complete.threads)
    learner = make_learner(complete, data)
    run = Run(complete, data, learner, None, Position(), quiet=True, goes_on=goes_on)
    with polite_stop() as stop, running_on(threads_of(complete, learner.model.network, None)):
        run.learn(stop)
    return run.at.validation


def settle(config: TrainConfig, source: DataSet) -> SettledConfig:
    """Fill in what the user left open, by the rule and then by the data set.

    Args:
        config: as the user wrote it.
        source: its data set.

    Returns:
        The settled configuration.

    Raises:
        UserError: an unknown rule, or a signal or text for a control.
    """
    return settled_by_data(RULES.make(config.rule).settle(config), source)


def make_learner(config: SettledConfig, data: TrainingData, net: Imported | None = None) -> Learner:
    """Build a fresh learner for a configuration and its data.

    Args:
        config: settled.
        data: that it is to learn from.
        net: that of the configuration where it is made of modules; None for the one that its text says.

    Returns:
        The learner.

    Raises:
        UserError: settings that do not fit each other or the data, or a trial that does not fit in memory.
    """
    learner = Learner(net or config.net, **sizes_of(data.source), **config.learner_settings())
    check_steps(learner.model.network, config.steps)
    check_window(learner.model, config.window, config.steps)
    check_trial(learner.model.network, config.window, min(config.batch_size, len(data.train)), learner.dtype)
    return learner
