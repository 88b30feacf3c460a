"""Training: from a configuration to a run folder with a result."""

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
        config: the configuration. Several ranks share every batch, and the first one writes files.
        out: run folder; None writes no files.
        data_dir: the folder of the data sets; None for the default folder.
        resume: continue the run in `out`, to the same bits as without an interruption.
        force: replace the run in `out`.
        quiet: show no progress bar.
        data: the configuration's data if they are loaded already; None to load them.
        net: the configuration's net if it is made of modules; a run that is continued has its own in `out`.
        watchers: look at the learner before the first epoch and after each; their time is not learning time.
        log: kinds of logs that are written into the run folder beside its metrics (see `runs.logs`).

    Returns:
        Settings and figures by name, as `report.result_of` gives them.

    Raises:
        UserError: there is a mistake in the configuration, the data or the folder.
        Diverged: a number is no longer finite; the last checkpoint is kept.
        Interrupted: the user stopped the training; the checkpoint is saved.
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
                net = load_net(out, complete.net)  # a continued run has the weights that it began with
            run = Run(complete, data, make_learner(complete, data, net), None, Position(), quiet, memory)
            if out is not None and run.writes:
                # This comes late, since a mistake in the settings must not leave a folder behind, or replace a run.
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
    """Warn, at the beginning of a run, that the learning engine of its chip cannot express the rule, which is computed
    off the chip.
    """
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
    """If a rank is lost in the block, add to the error where the checkpoint is, and how to continue the run."""
    try:
        yield
    except RankLost as lost:
        checkpoint = checkpoint_sentence(run.folder)
        again = " Start again with the same options and --resume" if checkpoint else ""
        raise RankLost(f"{lost}.{checkpoint}{'.' if again else ''}{again}") from None


@own_session()
def validation_curve(config: TrainConfig, data: TrainingData, goes_on: GoesOn = to_the_end) -> list[float | None]:
    """Train one network without writing files, and return its accuracy on held-out training samples after each epoch,
    or the first figure of another task.

    Args:
        config: the configuration.
        data: the data of the configuration, without test samples.
        goes_on: a function from the figures so far to whether the next epoch is learned.

    Returns:
        Validation accuracy in 0..1 after each epoch, or the other figure; None if no samples are held out.

    Raises:
        UserError: there is a mistake in the configuration.
        Diverged: a number is no longer finite.
        Interrupted: the user stopped the training.
    """
    complete = settle(config, data.source)
    check_threads(complete.threads)
    learner = make_learner(complete, data)
    run = Run(complete, data, learner, None, Position(), quiet=True, goes_on=goes_on)
    with polite_stop() as stop, running_on(threads_of(complete, learner.model.network, None)):
        run.learn(stop)
    return run.at.validation


def settle(config: TrainConfig, source: DataSet) -> SettledConfig:
    """Fill in the settings that the user left open, by the rule and then by the data set.

    Args:
        config: the user's configuration.
        source: the data set.

    Returns:
        The settled configuration.

    Raises:
        UserError: the rule is unknown, or a control is given a signal or a text.
    """
    return settled_by_data(RULES.make(config.rule).settle(config), source)


def make_learner(config: SettledConfig, data: TrainingData, net: Imported | None = None) -> Learner:
    """Build a fresh learner for a configuration and its data.

    Args:
        config: the settled configuration.
        data: the data to learn from.
        net: the configuration's net if it is made of modules; None for a net that is given as text.

    Returns:
        The learner.

    Raises:
        UserError: settings do not fit each other or the data, or a trial does not fit in memory.
    """
    learner = Learner(net or config.net, **sizes_of(data.source), **config.learner_settings())
    check_steps(learner.model.network, config.steps)
    check_window(learner.model, config.window, config.steps)
    check_trial(learner.model.network, config.window, min(config.batch_size, len(data.train)), learner.dtype)
    return learner
