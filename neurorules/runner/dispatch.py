"""Training under one name on either path: steps in torch, or equations in Brian2."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from neurorules.contracts.data_set import DataPlace, DataSet
from neurorules.contracts.target import OF_VALUES
from neurorules.datasets import data_place
from neurorules.exchange.imported import Imported
from neurorules.language.config import SettledConfig, TrainConfig
from neurorules.language.errors import UserError
from neurorules.rules import RULES
from neurorules.runner.given_net import with_net
from neurorules.runs.launch import after_restart, check_alone
from neurorules.runs.logs import check_installed, kinds_of
from neurorules.torch_path.training.batches import load_training_data, sizes_of, with_steps_of_data
from neurorules.torch_path.training.checks import Diverged, check_steps
from neurorules.torch_path.training.learner import Learner
from neurorules.torch_path.training.stored_net import SIGN, load_net
from neurorules.torch_path.training.training_run import GoesOn, to_the_end

if TYPE_CHECKING:
    from neurorules.brian2_continuous.training_run import CircuitWatcher
    from neurorules.torch_path.training.watch import Watcher


def settle(config: TrainConfig) -> SettledConfig:
    """The configuration in which rule and path have filled in what the user left open.

    Raises:
        UserError: the rule is unknown, or the path does not run it.
    """
    if config.path == "continuous":
        from neurorules.brian2_continuous.trainer import settle as settle_circuit

        return settle_circuit(config)
    return RULES.make(config.rule).settle(config)


def check_net(config: SettledConfig, source: DataSet) -> None:
    """Check that the net, the rule and the signal of a configuration can be had together, before anything is trained.

    Args:
        config: what is to be trained.
        source: the samples, whose shape and classes the net is made for.

    Raises:
        UserError: they cannot, the rule's text reads what it cannot see, or its neurons cannot run so many steps.
    """
    if config.path == "torch":  # a circuit's plan has looked at all of it
        learner = Learner(config.net, **sizes_of(source), **config.learner_settings())
        check_steps(learner.model.network, config.steps)


def with_data(config: TrainConfig, data_dir: DataPlace) -> tuple[TrainConfig, DataPlace]:
    """Fill in the settings that the data decide before a rule fills in what is open, and say where they are read from
    then on.

    Args:
        config: the settings; theirs are the number of time steps, where samples bring their own.
        data_dir: folder of the data sets, None for the usual one; or the data set itself.

    Returns:
        The settings, and the place of the data, which is the data set itself where a function of the user's makes it.

    Raises:
        UserError: the data cannot be read, or the user asks for another number of steps.
    """
    place = data_place(config.data, data_dir)
    return with_steps_of_data(config, place), place


LARGEST_ERROR = 1e30
"""What stands for the error of values of a training whose numbers were no longer finite."""


def validation_curves(
    config: TrainConfig, seeds: int, data_dir: DataPlace, goes_on: GoesOn = to_the_end
) -> list[list[float]]:
    """Train a configuration with several seeds, and keep only the accuracy on held-out training samples, or the first
    figure of another task.

    No test sample is read: what is trained on holds none.

    Args:
        config: what to train; its seed is the first of the seeds.
        seeds: number of seeds, at least 1.
        data_dir: folder of the data sets, None for the usual one; or the data set itself.
        goes_on: whether the first seed learns its next epoch, told its figures so far. Where it does not, no other
            seed is trained.

    Returns:
        The validation accuracy of each seed after each epoch, in 0..1; 0 where a number was no longer finite. Of
        values their mean squared error, and `LARGEST_ERROR`.

    Raises:
        UserError: the configuration is wrong, or no training samples are held out.
    """
    if config.path == "continuous":
        from neurorules.brian2_continuous.trainer import validation_curve
    else:
        from neurorules.torch_path.training.trainer import validation_curve
    config, data_dir = with_data(config, data_dir)
    data = load_training_data(settle(config), data_dir)
    if data.validation is None:
        raise UserError("no training sample is held out to choose by. Leave --validation out, or give it a number")
    curves: list[list[float]] = []
    for seed in range(seeds):
        try:
            after = validation_curve(replace(config, seed=config.seed + seed), data, to_the_end if seed else goes_on)
            curve = [figure for figure in after if figure is not None]
        except Diverged:
            curve = [LARGEST_ERROR if data.source.task in OF_VALUES else 0.0] * config.epochs
        curves.append(curve)
        if len(curve) < config.epochs:
            break
    return curves


def train(
    config: TrainConfig,
    out: Path | None = None,
    *,
    data_dir: DataPlace = None,
    resume: bool = False,
    force: bool = False,
    quiet: bool = False,
    watchers: Sequence[Watcher] = (),
    net: Any = None,
    log: str | None = None,
    watcher: CircuitWatcher | None = None,
) -> dict[str, Any]:
    """Train one network on the path that its configuration names (see `torch_path.training.trainer.train`).

    Args:
        config: what is trained.
        out: folder of the run; None keeps nothing on disk.
        data_dir: folder of the data sets, None for the usual one; or the data set itself.
        resume: goes on from the run's last checkpoint.
        force: replaces an older run in `out`.
        quiet: shows no progress bar.
        watchers: look at the learner between epochs, on the torch path.
        net: a module, or a net that was read before; None for what the configuration names. A module begins with its
            own weights where `init` is left open.
        log: logs for other programs in the run folder, comma-separated: csv, tensorboard.
        watcher: looks at a run in continuous time between epochs.

    Returns:
        What `result.json` holds.

    Raises:
        UserError: the configuration, the data or the folder is wrong.
        Diverged: a number is no longer finite; the last checkpoint is kept.
        Interrupted: the user stopped it; the checkpoint is saved.
    """
    kinds = kinds_of(log)
    if kinds and out is None:
        raise UserError(f"a log lies in the run folder, and none is named: {', '.join(kinds)}. Give out, such as 'run'")
    if resume and out is None:
        raise UserError(
            "a run to continue lies in its folder, and none is named. Give out, such as 'run', or resume=False"
        )
    check_installed(kinds)
    if config.path == "continuous":
        check_alone("train --path continuous")
    resume, force = after_restart(out, resume, force)
    config, data_dir = with_data(config, data_dir)
    config, own = _net_of(config, data_dir, net, out if resume else None)
    how: dict[str, Any] = {"data_dir": data_dir, "resume": resume, "force": force, "quiet": quiet, "log": kinds}
    if config.path == "continuous":
        from neurorules.brian2_continuous.trainer import train as run_circuit

        return run_circuit(config, out, **how, watcher=watcher)
    from neurorules.torch_path.training.trainer import train as run

    return run(config, out, watchers=watchers, net=own, **how)


def _net_of(
    config: TrainConfig, data_dir: DataPlace, net: Any, resumed: Path | None
) -> tuple[TrainConfig, Imported | None]:
    """The settings with what a net of modules decides, and that net. A run that goes on may name its own by its name.

    Raises:
        UserError: as in `given_net.with_net`, and of a damaged run folder.
    """
    if net is None and resumed is not None and SIGN in config.net:
        return config, load_net(resumed, config.net)
    return with_net(config, data_dir, net, "given")
