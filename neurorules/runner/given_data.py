"""The values that a Python program may give as `data=`: a name, a path, or the data themselves."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from neurorules.contracts.data_set import DataPlace
from neurorules.language.errors import UserError
from neurorules.language.paths import path_from
from neurorules.language.settings import Task

SensorSize = tuple[int, int, int] | None
"""Columns, rows and polarities of the sensor of events, in the order of tonic's `sensor_size`."""


EXAMPLES = {
    "batch_first": "npz:own.npz:batch_first=true", "sensor_size": "mymodule:make_data:sensor_size=34x34x2",
    "task": "npz:own.npz:task=regression", "keys": "mymodule:make_data:keys=pixels+digit",
}  # fmt: skip
"""How each argument is said in the text of data that are read."""


class GivenData(NamedTuple):
    """Data as a configuration names them, and where they are.

    Args:
        settings: the setting `data`, where the program gives data at all.
        place: a folder, None for the usual ones, or the data set itself.
    """

    settings: dict[str, str]
    place: DataPlace


def given_data(
    data: Any, batch_first: bool | None, sensor_size: SensorSize, data_dir: str | Path | None, task: Task | None = None,
    keys: Sequence[str] | None = None,
) -> GivenData:  # fmt: skip
    """Read data that lie in memory; a name or a path is left for later.

    Args:
        data: None; a name or path, as on the command line; or (train, test) of arrays, data sets or loaders.
        batch_first: whether samples with a time axis are (N, T, ...) or (T, N, ...); None where they have none, and
            where it can be told.
        sensor_size: the sensor size for events in memory, if their data set has none.
        data_dir: folder of the data sets.
        task: what the targets of data in memory are; None to find it.
        keys: the keys of samples in memory that are dicts, the names of the sample and of its label; None for the usual
            names.

    Returns:
        The setting and the place.

    Raises:
        UserError: something in the data cannot be read, or an argument is not for data of this kind.
    """
    place = None if data_dir is None else path_from("data_dir", data_dir)
    if data is not None and not isinstance(data, str | Path):
        from neurorules.datasets._own import own_data

        if place is not None:
            raise UserError(f"data_dir is {place}, and the data are handed over themselves. Leave data_dir out")
        read = own_data(data, batch_first, sensor_size, task=task, keys=keys)
        return GivenData({"data": read.name}, read)
    own = {"batch_first": batch_first, "sensor_size": sensor_size, "task": task, "keys": keys}
    for name, value in own.items():
        if value is not None:
            raise UserError(
                f"{name} is for data that are handed over, (train, test), and the data are {data or 'the usual ones'}. "
                f"Say it in the text of the data, such as {EXAMPLES[name]}"
            )
    return GivenData({} if data is None else {"data": str(data)}, place)
