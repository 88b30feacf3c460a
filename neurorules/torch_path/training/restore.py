"""Loading a trained network from its run folder."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from neurorules.contracts.data_set import DataPlace, DataSet
from neurorules.contracts.target import OF_VALUES
from neurorules.datasets import IN_MEMORY
from neurorules.encoders import ENCODERS
from neurorules.encoders._shared import with_statistics
from neurorules.exchange.imported import Imported
from neurorules.language.config import SettledConfig, config_from, in_todays_words
from neurorules.language.errors import UserError
from neurorules.language.own_files import standing_for
from neurorules.language.registry import OWN_PARTS
from neurorules.language.settings import Task
from neurorules.rules import RULES
from neurorules.runs.folder import RunFolder
from neurorules.runs.own_copies import files_of
from neurorules.torch_path.process.session import own_session
from neurorules.torch_path.training.batches import Data, load_data
from neurorules.torch_path.training.learner import Learner
from neurorules.torch_path.training.stored_net import load_net
from neurorules.torch_path.training.trainer import make_learner

_log = logging.getLogger(__name__)


class Restored(NamedTuple):
    """A finished run that has been loaded.

    Args:
        config: the configuration of the run.
        data: the data of the run, including test samples.
        learner: the learner after training.
        net: the net of a run that was made of modules; None for others.
    """

    config: SettledConfig
    data: Data
    learner: Learner
    net: Imported | None


@own_session()
def restore(run: Path, data_dir: DataPlace = None, **changed: Any) -> Restored:
    """Load a finished run from its folder.

    Args:
        run: the folder of the run.
        data_dir: the folder of its data, or the data themselves; None for the default folder.
        changed: settings that replace its own, such as device="cpu" or precision="float64".

    Returns:
        Configuration, data and trained network.

    Raises:
        UserError: there is no finished run, its files do not belong together, its data cannot be read, or they were in
            memory and are not given again.
    """
    with standing_for(files_of(run)):
        return _restored(run, data_dir, changed)


def _restored(run: Path, data_dir: DataPlace, changed: Mapping[str, Any]) -> Restored:
    """`restore`, in a context in which every name means what it meant in the run."""
    folder, config = _finished(run, changed)
    if config.data.startswith(f"{IN_MEMORY}:"):
        _check_memory(run, config, folder.read_result(), data_dir)
    data = load_data(config, data_dir)
    stored = folder.read_result().get("data_checksum", data.source.checksum)
    if stored != data.source.checksum:
        _log.warning("%s: data '%s' are not those that the run learned from: their content differs", run, config.data)
    net = load_net(folder.path, config.net)
    learner = make_learner(config, data, net)
    learner.encoder = data.train.encoder
    _take_weights(learner, folder, run)
    return Restored(config, data, learner, net)


@own_session()
def restore_learner(run: Path, data_dir: DataPlace = None, **changed: Any) -> Learner:
    """Load the network of a finished run. Data that were in memory are not needed.

    Args:
        run, data_dir, changed: as in `restore`.

    Returns:
        The learner after training.

    Raises:
        UserError: as in `restore`.
    """
    with standing_for(files_of(run)):
        return _restored_learner(run, data_dir, changed)


def _restored_learner(run: Path, data_dir: DataPlace, changed: Mapping[str, Any]) -> Learner:
    """`restore_learner`, in a context in which every name means what it meant in the run."""
    folder, config = _finished(run, changed)
    if not config.data.startswith(f"{IN_MEMORY}:") or isinstance(data_dir, DataSet):
        return _restored(run, data_dir, changed).learner
    result = folder.read_result()
    task: Task = result.get("task", "classes")
    name = "outputs" if task in OF_VALUES else "classes"
    sizes = {"input_shape": tuple(result["input_shape"]), "task": task, name: result[name]}
    net = load_net(folder.path, config.net) or config.net
    learner = Learner(net, **sizes, **config.learner_settings())
    learner.encoder = with_statistics(ENCODERS.make(result["encode"]), result["encoder_statistics"])
    _take_weights(learner, folder, run)
    return learner


def _finished(run: Path, changed: Mapping[str, Any]) -> tuple[RunFolder, SettledConfig]:
    folder = RunFolder.finished(run)
    if in_todays_words(folder.config()).get("path") == "continuous":
        raise UserError(
            f"the run in {run} learned in continuous time, and its weights belong to that model. Give a run of "
            f"--path torch"
        )
    stored = config_from(folder.config(), str(run))
    # A part's name without options stands for the file of the run, which the user names with it.
    same = {name for name in OWN_PARTS if changed.get(name) == (getattr(stored, name) or "").partition(":")[0]}
    stored = replace(stored, **{name: value for name, value in changed.items() if name not in same})
    return folder, RULES.make(stored.rule).settle(stored)


def _check_memory(run: Path, config: SettledConfig, result: Mapping[str, Any], data_dir: DataPlace) -> None:
    """Refuse to restore a run whose data were in memory if the user does not give them again.

    Raises:
        UserError: the data are missing, or they are different ones.
    """
    shape = " x ".join(map(str, result["input_shape"]))
    need = (
        f"the run in {run} learned from data in memory: {result['data_origin']}; {result['data_kind']} of the shape "
        f"{shape}, {_counted(result)}"
    )
    if not isinstance(data_dir, DataSet):
        raise UserError(
            f"{need}. They are kept nowhere: name a file or a function that gives the same, --data own.npz (x_train, "
            f"y_train, x_test, y_test) or --data module:function, or neurorules.load('{run}', data=(train, test))"
        )
    if data_dir.name != config.data:
        raise UserError(f"{need}; those given have another content ({data_dir.name}, not {config.data}). Give the same")


def _counted(result: Mapping[str, Any]) -> str:
    return f"{result['classes']} classes" if "classes" in result else f"{result['outputs']} outputs"


def _take_weights(learner: Learner, folder: RunFolder, run: Path) -> None:
    try:
        learner.load(folder.load_weights(), weights_only=True)
    except UserError as error:
        raise UserError(f"the weights in {run} cannot be taken over: {error}") from None
