"""The one-line forms: `neurorules.train(...)`, `neurorules.compare(...)` and `neurorules.load(...)`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from neurorules.brian2_continuous.ordinary import Brian2Circuit
from neurorules.brian2_steps.ordinary import Brian2Network
from neurorules.compare.one_line import compare
from neurorules.language.config import TrainConfig, config_from
from neurorules.language.keywords import with_keywords
from neurorules.language.registry import with_own_parts
from neurorules.language.settings import Task
from neurorules.runner.dispatch import train as train_config
from neurorules.runner.given_data import SensorSize, given_data
from neurorules.runner.given_net import without_module
from neurorules.runs.folder import RunFolder
from neurorules.runs.shown.result import Result
from neurorules.torch_path.process.session import own_session
from neurorules.torch_path.training.learner import Learner
from neurorules.torch_path.training.restore import restore_learner

__all__ = ["brian2_circuit", "brian2_network", "compare", "load", "train"]


@with_keywords(TrainConfig)
@own_session()
def train(
    rule: str = TrainConfig.rule,
    *,
    data: Any = TrainConfig.data,
    batch_first: bool | None = None,
    sensor_size: SensorSize = None,
    task: Task | None = None,
    out: str | Path | None = None,
    data_dir: str | Path | None = None,
    resume: bool = False,
    force: bool = False,
    quiet: bool = True,
    log: str | None = None,
    **settings: Any,
) -> Result:
    """Train one network with a learning rule on a data set.

    Args:
        rule: learning rule with options.
        data: name or path of a data set; or (train, test), each a pair (x, y) of arrays or tensors, a Dataset of torch
            or tonic, a DataLoader, or anything that yields (sample, label) or (samples, labels).
        batch_first: for (train, test) with a time axis: True for (N, T, ...), False for (T, N, ...).
        sensor_size: for events in (train, test): columns, rows, polarities, where the data set does not say them.
        task: for (train, test): what their targets are, classes, multilabel, regression, classes_per_step or
            regression_per_step; None finds it from their type and shape, which a line says.
        out: run folder; None to write nothing and only return the result.
        data_dir: folder in which data sets lie; None for the usual one.
        resume: go on with the run in `out`.
        force: replace a run in `out`.
        quiet: show no progress bar; without it there is one in a terminal and below the cell of a notebook.
        log: logs for other programs in the run folder, comma-separated: csv (`metrics.csv`), tensorboard.
        settings: the settings below, such as rule="sigprop". The net may also be a torch.nn.Module of torch and
            snnTorch layers, whose forward computes one step; it begins with its own weights, and stays as it is.

    Returns:
        The result, a dictionary: test_accuracy and validation_accuracy in 0..1, or the figures of another task, such as
        test_mse, and all that `result.json` holds.

    Raises:
        UserError: a setting is unknown or out of its range, or the data or the run folder cannot be used.
    """
    source = given_data(data, batch_first, sensor_size, data_dir, task)
    settings, net = without_module(with_own_parts({**settings, "rule": rule}))
    config = config_from({**settings, **source.settings}, "train(...)")
    folder = None if out is None else Path(out)
    result = train_config(
        config, folder, data_dir=source.place, resume=resume, force=force, quiet=quiet, log=log, net=net
    )
    return Result(result, [] if folder is None else RunFolder(folder).read_metrics())


def load(
    run: str | Path, data_dir: str | Path | None = None, *, data: Any = None, batch_first: bool | None = None,
    sensor_size: SensorSize = None, task: Task | None = None, **changed: Any,
) -> Learner:  # fmt: skip
    """The network of a finished run, ready to be run or to learn further.

    Its `encoder` is that of the run, so that `evaluate` and `fit` read samples as training did.

    Args:
        run: folder of the run, trained on the torch path.
        data_dir: folder in which data sets lie, among them the run's; None for the usual one.
        data, batch_first, sensor_size, task: the run's data where they lay in memory, as in `train`. They are compared
            with those of the run; without them the run folder tells what is needed.
        changed: settings that replace those of the run, such as device="cpu". A run that learned by a rule in a file of
            your own is given that file, rule="my_rule.py"; its options stay those of the run.

    Returns:
        The learner as training left it; its optimiser starts anew.

    Raises:
        UserError: the folder holds no finished run, its files do not belong together, or its data cannot be read.
    """
    source = given_data(data, batch_first, sensor_size, data_dir, task)
    return restore_learner(Path(run), source.place, **with_own_parts(changed))


@with_keywords(TrainConfig)
def brian2_circuit(
    rule: str = TrainConfig.rule, *, data: Any = "digits", data_dir: str | Path | None = None, **settings: Any
) -> Brian2Circuit:
    """Build the circuit by which a rule learns in continuous time as ordinary Brian2 objects.

    They are built in your own session of Brian2, on the device that is active, for your own monitors, stimuli and
    groups: `circuit.network.add(...)`, then `circuit.network.run(circuit.duration)`. One epoch is presented, once.
    Without anything added, the weights are then those of `train(path="continuous", epochs=1)`, as long as no more than
    500 presentations are shown; longer trainings begin a new run after each 500.

    Args:
        rule: learning rule with options; it has a circuit (`neurorules cite RULE --equations` shows it).
        data: as for `train`.
        data_dir: folder in which data sets lie; None for the usual one.
        settings: the settings below, such as net="16", neuron="lif" and limit=100. `epochs` is 1 where it is not
            given; the schedule of learning rates alone reads it.

    Returns:
        The objects by name, and methods that read and set weights.

    Raises:
        UserError: the rule or a setting has no meaning in continuous time, the data cannot be read, or brian2 is not
            installed.
    """
    from neurorules.runner.brian2_circuit import circuit_objects

    source = given_data(data, None, None, data_dir)
    settings = with_own_parts({"epochs": 1, **settings, "rule": rule, "path": "continuous"})
    return circuit_objects(config_from({**settings, **source.settings}, "brian2_circuit(...)"), source.place)


def brian2_network(
    run: str | Path, *, samples: int = 10, data_dir: str | Path | None = None, dt_ms: float = 1.0,
    threshold_mV: float = 20.0, capacitance_pF: float = 100.0,
) -> Brian2Network:  # fmt: skip
    """Build a trained net as an ordinary Brian2 network: dv/dt, synapses that add at spikes, the default schedule.

    The objects are built in your own session of Brian2, on the device that is active, for your own monitors, stimuli
    and groups: `net.network.add(...)`, then `net.network.run(net.duration)`. Spikes are those of torch, one step later
    for each layer that they pass. The net does not learn.

    Args:
        run: folder of a finished run of the torch path, whose hidden neurons are lif, if or cuba_lif.
        samples: number of its first test samples, which are shown one after another.
        data_dir: folder in which data sets lie; None for the usual one.
        dt_ms: length of a time step in ms.
        threshold_mV, capacitance_pF: what a threshold and a capacitance of 1 are, > 0. Variables in volt follow from
            them, and no spike does.

    Returns:
        The objects by name, and methods that read spikes and membranes as torch counts them.

    Raises:
        UserError: there is no such run, a layer has no such map, which names it, or brian2 is not installed.
    """
    from neurorules.brian2_steps.scale import Scale
    from neurorules.language.ranges import Positive, check_range
    from neurorules.runner.ordinary import network_objects

    check_range("dt_ms", dt_ms, Positive)
    for name, value in (("threshold_mV", threshold_mV), ("capacitance_pF", capacitance_pF)):
        check_range(name, value, Positive)
    place = None if data_dir is None else Path(data_dir)
    return network_objects(Path(run), samples, place, dt_ms, Scale(threshold_mV, capacitance_pF))
