"""Train a rule in continuous time (`train --path continuous`), with a run folder like that of the torch path."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np

from neurorules.brian2_continuous.checks import check_config, check_fixed, check_times, neuron_of
from neurorules.brian2_continuous.parts.choose import machine_for
from neurorules.brian2_continuous.parts.circuit import Circuit
from neurorules.brian2_continuous.parts.currents import currents_of
from neurorules.brian2_continuous.parts.foresight import check_net
from neurorules.brian2_continuous.parts.layers import Net, hidden_sizes, recurrent_layers
from neurorules.brian2_continuous.parts.stream import Stream
from neurorules.brian2_continuous.training_run import CircuitRun, CircuitWatcher
from neurorules.contracts.data_set import DataPlace
from neurorules.language.config import SettledConfig, TrainConfig
from neurorules.language.errors import UserError
from neurorules.rules import RULES
from neurorules.runs import own_copies
from neurorules.runs.beginning import own_run
from neurorules.runs.interrupt import polite_stop
from neurorules.runs.logs import close_logs, logs_of_run
from neurorules.torch_path.process.session import own_session
from neurorules.torch_path.training.batches import Data, TrainingData, load_data, settled_by_data
from neurorules.torch_path.training.own_parts import own_files_of
from neurorules.torch_path.training.training_run import GoesOn, to_the_end

PRESENTATIONS = 500
"""Number of presentations of one run of the circuit. It bounds the memory of tables, and the time until Ctrl-C stops
the training."""


def settle(config: TrainConfig) -> SettledConfig:
    """Fill in what the user left open by the defaults of the rule's plan.

    Raises:
        UserError: the rule has no circuit, or a setting has no meaning in continuous time.
    """
    plan = check_config(config)
    name = config.neuron or plan.neuron
    neuron = neuron_of(name)
    steps = round(neuron.period_ms / neuron.dt_ms)
    check_fixed("steps", config.steps, steps, "a presentation has period_ms / dt_ms steps of its neuron")
    settings = config.as_dict()
    settings |= {
        "neuron": name,
        "readout_neuron": "leaky_readout",
        "steps": steps,
        "norm": "none",
        "init": "he",
        "connection": "dense",
        "optimizer": "sgd",
        "readout_optimizer": "sgd",
        "signal_lr": None,
        "lr": plan.lr * neuron.lr_scale if config.lr is None else config.lr,
        "readout_lr": plan.readout_lr if config.readout_lr is None else config.readout_lr,
        "batch_size": 1,
        "precision": "float64",
    }
    return SettledConfig(**settings)


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
    log: Sequence[str] = (),
    watcher: CircuitWatcher | None = None,
) -> dict[str, Any]:
    """Train one network in continuous time.

    Args:
        config: configuration of the run; what it leaves open is filled in.
        out: run folder; None writes no files but the result.
        data_dir: folder in which data sets lie; None for the usual one.
        resume: continue the run in `out`.
        force: replace a run in `out`.
        quiet: show no progress bar.
        data: the data, where it has been loaded; None to load what the configuration names.
        log: kinds of logs that are written into the run folder beside its metrics (see `runs.logs`).
        watcher: looks at the run between epochs; None for nobody.

    Returns:
        The result, as `parts.report.result_of` describes it, with the rule's `needs`.

    Raises:
        UserError: the configuration, the data or the folder cannot be used.
        MissingExtra: brian2 is not installed.
        Diverged: a number is no longer finite; the last checkpoint is kept.
        Interrupted: the user stopped the training; a run with a folder is saved.
    """
    complete = settle(config)
    data = data or load_data(complete, data_dir)
    complete = settled_by_data(complete, data.source)
    run = prepare(complete, data, quiet)
    run.watcher, source = watcher, data.source
    with ExitStack() as stack:
        if out is not None:
            # The folder is opened last, so that a mistake in the settings leaves none behind and replaces no run.
            own = own_run(out, complete, resume, force, lambda stored: settled_by_data(settle(stored), source))
            run.folder = stack.enter_context(own)
            if resume:
                own_copies.check_unchanged(out, own_files_of(complete))
                run.restore(run.folder)
            else:
                own_copies.keep(out, own_files_of(complete))
            run.logs = logs_of_run(log, out, run.folder.read_metrics())
            stack.callback(close_logs, run.logs)
        with polite_stop() as stop:
            run.learn(stop)
            return run.finish(data)


@own_session()
def validation_curve(config: TrainConfig, data: TrainingData, goes_on: GoesOn = to_the_end) -> list[float | None]:
    """Train one network without a run folder, and measure it on the validation samples.

    Args:
        config: configuration of the run; what it leaves open is filled in.
        data: training and validation samples.
        goes_on: whether the next epoch is learned, told the accuracies so far.

    Returns:
        The accuracy after each epoch, in 0..1; None without validation samples.

    Raises:
        UserError: the configuration or the data cannot be used.
        MissingExtra: brian2 is not installed.
        Interrupted: the user stopped the training.
    """
    run = prepare(settled_by_data(settle(config), data.source), data, quiet=True)
    run.goes_on = goes_on
    with polite_stop() as stop:
        run.learn(stop)
    return run.at.validation


def prepare(config: SettledConfig, data: TrainingData, quiet: bool) -> CircuitRun:
    """Prepare a training run: make the circuit with initial weights, and the fastest machine that can run it.

    Args:
        config: configuration of the run.
        data: training and validation samples.
        quiet: show no progress bar.

    Returns:
        A run at its start, without a folder.

    Raises:
        UserError: the rule or a setting has no meaning in continuous time, a step is too long for a time constant, the
            circuit does not fit in memory, or the compiler fails.
        MissingExtra: brian2 is not installed.
    """
    check_classes(data)
    if config.device == "cuda":  # A run of an older version may have stored it, so that only training refuses it.
        check_fixed("device", config.device, "cpu", "Brian2 computes on the processor")
    plan, net = check_config(config), net_of(config, data, PRESENTATIONS)
    check_net(net)
    check_times(net.neuron)
    circuit = circuit_of(config, net)
    stream = Stream(machine_for(circuit), circuit, dict(circuit.settings))
    return CircuitRun(config, data, plan, circuit, stream, currents_of(data.train), quiet)


def check_classes(data: TrainingData) -> None:
    """Refuse data with which a circuit cannot be taught.

    Raises:
        UserError: their samples do not have one class each.
    """
    if data.source.task != "classes":
        raise UserError(
            f"data '{data.source.name}' have the task '{data.source.task}', and a circuit in continuous time learns "
            f"one class for each sample. Use data with classes, or --path torch"
        )


def circuit_of(config: SettledConfig, net: Net) -> Circuit:
    """Make the circuit of a configuration, with initial weights.

    Args:
        config: the config of the run.
        net: its sizes and neurons (see `net_of`).

    Returns:
        The circuit; its settings are the numbers that its equations read.

    Raises:
        UserError: the rule cannot be written as a circuit of such a net.
    """
    plan = check_config(config)
    settings = plan.numbers(config.lr, config.readout_lr)
    return plan.make(net, RULES.make(config.rule), settings, np.random.default_rng(config.seed))


def net_of(config: SettledConfig, data: TrainingData, presentations: int) -> Net:
    """Build the net of a configuration for its data.

    Args:
        config: the config of the run.
        data: whose samples and classes give the sizes of input and read-out.
        presentations: number of presentations of one run of the circuit, >= 1.

    Returns:
        The net.
    """
    inputs = int(np.prod(data.source.shape))
    sizes, loops = hidden_sizes(config.net), recurrent_layers(config.net)
    return Net(inputs, sizes, data.source.classes, neuron_of(config.neuron), presentations, loops)
