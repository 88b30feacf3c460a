"""The data of a finished run, named again: they lie in another place, or lay in the memory of a program."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from neurorules.contracts.data_set import DataPlace
from neurorules.datasets import open_dataset
from neurorules.language.errors import UserError
from neurorules.runs.folder import RunFolder


def place_of(run: Path, data: str | None, data_dir: Path | None) -> DataPlace:
    """The place that a command reads a run's data from.

    Args:
        run: folder of a finished run.
        data: name or path of data of the same content, as `train --data` takes it; None for those that the run names.
        data_dir: folder in which data sets lie; None for the usual one.

    Returns:
        The data set, under the name by which the run knows it; `data_dir` where no data are named.

    Raises:
        UserError: there is no such run, the data cannot be read, or their content is another.
    """
    if data is None:
        return data_dir
    folder = RunFolder.finished(run)
    source, learned = open_dataset(data, data_dir), folder.read_result().get("data_checksum")
    if source.checksum != learned:
        raise UserError(
            f"--data {data} has another content than the data that the run in {run} learned from (checksums "
            f"{source.checksum[:12]} and {str(learned)[:12]}). Give the same samples and labels, in the same order and "
            f"of the same types"
        )
    return replace(source, name=str(folder.config()["data"]))
