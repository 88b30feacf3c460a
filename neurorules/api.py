"""The functions of the public API that do a whole task, such as `neurorules.train(...)` and `neurorules.load(...)`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from neurorules.brian2_continuous.ordinary import Brian2Circuit
from neurorules.brian2_steps.ordinary import Brian2Network
from neurorules.compare.one_line import compare
from neurorules.language.config import TrainConfig, config_from
from neurorules.language.keywords import with_keywords
from neurorules.language.options import check_flag
from neurorules.language.paths import path_from
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
    keys: Sequence[str] | None = None,
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
        batch_first: the order of axes if (train, test) has a time axis: True for (N, T, ...), False for (T, N, ...).
        sensor_size: (columns, rows, polarities) of the sensor if (train, test) holds events and the data set does not
            say it.
        task: the kind of targets in (train, test): classes, multilabel, regression, classes_per_step or
            regression_per_step; None infers it from their type and shape, and a message says so.
        keys: the names of the sample and of its label if the samples of (train, test) are dicts, such as ("pixels",
            "digit"); None for the usual names.
        out: run folder; None to write nothing and only return the result.
        data_dir: folder that contains the data sets; None for the default.
        resume: continue the run in `out`.
        force: replace a run in `out`.
        quiet: hide the progress bar in terminals and notebooks.
        log: further logs to write to the run folder, comma-separated: csv (`metrics.csv`), tensorboard.
        settings: the settings below, such as net="400". The net may also be a torch.nn.Module of torch and snnTorch
            layers whose forward computes one step. Training then starts from the module's weights, and the module is
            not changed.

    Returns:
        The result as a dictionary with the contents of `result.json`, including test_accuracy and validation_accuracy
        in 0..1, or the figures of another task, such as test_mse.

    Raises:
        UserError: a setting is unknown or out of its range, or the data or the run folder cannot be used.
    """
    for name, flag in (("resume", resume), ("force", force), ("quiet", quiet)):
        check_flag(name, flag)
    folder = None if out is None else path_from("out", out)
    source = given_data(data, batch_first, sensor_size, data_dir, task, keys)
    settings, net = without_module(with_own_parts({**settings, "rule": rule}))
    config = config_from({**settings, **source.settings}, "train(...)")
    result = train_config(
        config, folder, data_dir=source.place, resume=resume, force=force, quiet=quiet, log=log, net=net
    )
    return Result(result, [] if folder is None else RunFolder(folder).read_metrics())


def load(
    run: str | Path, data_dir: str | Path | None = None, *, data: Any = None, batch_first: bool | None = None,
    sensor_size: SensorSize = None, task: Task | None = None, keys: Sequence[str] | None = None, **changed: Any,
) -> Learner:  # fmt: skip
    """Load the network of a finished run, to run it or to train it further.

    Its `encoder` is that of the run, so that `evaluate` and `fit` encode samples as in training.

    Args:
        run: folder of the run, trained on the torch path.
        data_dir: folder that contains the data sets, including that of the run; None for the default.
        data, batch_first, sensor_size, task, keys: the data of a run that learned from data in memory, as in `train`.
            They are compared with those of the run. If they are left out, the information in the run folder is used.
        changed: settings that replace those of the run, such as device="cpu". For a run that used a rule in a file of
            your own, pass that file, rule="my_rule.py"; the options of the rule are those of the run.

    Returns:
        The learner after training, with a new optimiser.

    Raises:
        UserError: the folder holds no finished run, its files do not belong together, or its data cannot be read.
    """
    folder = path_from("run", run)
    source = given_data(data, batch_first, sensor_size, data_dir, task, keys)
    return restore_learner(folder, source.place, **with_own_parts(changed))


@with_keywords(TrainConfig)
def brian2_circuit(
    rule: str = TrainConfig.rule, *, data: Any = "digits", data_dir: str | Path | None = None, **settings: Any
) -> Brian2Circuit:
    """Build the circuit in which a rule learns in continuous time, as ordinary Brian2 objects.

    The objects are built in your own Brian2 session, on the active device, so that you can add monitors, stimuli and
    groups: `circuit.network.add(...)`, then `circuit.network.run(circuit.duration)`. The circuit presents one epoch. If
    you add nothing, the weights at the end are those of `train(path="continuous", epochs=1)` for up to 500
    presentations; longer trainings start a new Brian2 run after every 500.

    Args:
        rule: learning rule with options. It must have a circuit (see `neurorules cite RULE --equations`).
        data: the data, as for `train`.
        data_dir: folder that contains the data sets; None for the default.
        settings: the settings below, such as net="16", neuron="lif" and limit=100. `epochs`, by default 1, only affects
            the learning rate schedule.

    Returns:
        The objects by name, and methods that read and set weights.

    Raises:
        UserError: the rule or a setting has no meaning in continuous time, the data cannot be read, or brian2 is not
            installed.
    """
    from neurorules.runner.brian2_circuit import circuit_objects

    source = given_data(data, None, None, data_dir)
    settings = with_own_parts({"epochs": 1, "path": "continuous", **settings, "rule": rule})
    return circuit_objects(config_from({**settings, **source.settings}, "brian2_circuit(...)"), source.place)


def brian2_network(
    run: str | Path, *, samples: int = 10, data_dir: str | Path | None = None, dt_ms: float = 1.0,
    threshold_mV: float = 20.0, capacitance_pF: float = 100.0,
) -> Brian2Network:  # fmt: skip
    """Build a trained net as an ordinary Brian2 network with dv/dt, synapses that act at spikes, and the default
    schedule.

    The objects are built in your own Brian2 session, on the active device, so that you can add monitors, stimuli and
    groups: `net.network.add(...)`, then `net.network.run(net.duration)`. The spikes are those of torch, with a delay of
    one step for each layer. The net does not learn.

    Args:
        run: folder of a finished run of the torch path, whose hidden neurons are lif, if or cuba_lif.
        samples: number of test samples, which are presented one after another.
        data_dir: folder that contains the data sets; None for the default.
        dt_ms: length of a time step in ms.
        threshold_mV, capacitance_pF: the physical values of a threshold and a capacitance of 1, > 0. They set the units
            of variables, and do not affect spikes.

    Returns:
        The objects by name, and methods that return spikes and membranes in the time steps of torch.

    Raises:
        UserError: there is no such run, a layer cannot be translated (the message names it), or brian2 is not
            installed.
    """
    from neurorules.brian2_steps.scale import Scale
    from neurorules.language.ranges import Positive, check_range
    from neurorules.runner.ordinary import network_objects

    check_range("dt_ms", dt_ms, Positive)
    for name, value in (("threshold_mV", threshold_mV), ("capacitance_pF", capacitance_pF)):
        check_range(name, value, Positive)
    place = None if data_dir is None else path_from("data_dir", data_dir)
    return network_objects(path_from("run", run), samples, place, dt_ms, Scale(threshold_mV, capacitance_pF))
