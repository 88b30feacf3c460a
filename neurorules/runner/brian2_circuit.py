"""The circuit of a configuration as Brian2 objects of the user's own session."""

from __future__ import annotations

from neurorules.brian2_continuous.ordinary import Brian2Circuit, ordinary
from neurorules.brian2_continuous.trainer import settle
from neurorules.contracts.data_set import DataPlace
from neurorules.language.config import SettledConfig, TrainConfig
from neurorules.language.errors import UserError
from neurorules.torch_path.process.session import own_session
from neurorules.torch_path.training.batches import TrainingData, load_data, settled_by_data


def circuit_objects(config: TrainConfig, data_dir: DataPlace) -> Brian2Circuit:
    """Build the circuit of a training.

    Args:
        config: configuration of the training, in continuous time.
        data_dir: folder of the data sets, None for the usual one; or the data set itself.

    Returns:
        The Brian2 objects, on the device that is active.

    Raises:
        UserError: the path is another one, a setting has no meaning in continuous time, or the data cannot be read.
        MissingExtra: brian2 is not installed.
    """
    if config.path != "continuous":
        raise UserError(f"path is '{config.path}', and a circuit of Brian2 runs in continuous time. Leave path out")
    return ordinary(*_with_data(config, data_dir))


@own_session()
def _with_data(config: TrainConfig, data_dir: DataPlace) -> tuple[SettledConfig, TrainingData]:
    complete = settle(config)
    data = load_data(complete, data_dir)
    return settled_by_data(complete, data.source), data
