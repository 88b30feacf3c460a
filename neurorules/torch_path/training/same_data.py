"""The check that a run goes on with the data that it began with: a checkpoint says which they were."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from neurorules.contracts.data_set import DataSet
from neurorules.language.errors import UserError

DATA = "data"
"""Key of a checkpoint's state under which the fingerprint stands. Checkpoints of earlier versions have none."""


def fingerprint(source: DataSet) -> dict[str, Any]:
    """The fingerprint that tells data from others: the checksum that a data set has of its content, and what a user
    recognises.

    Args:
        source: the data set.

    Returns:
        Values that JSON can hold, by name.
    """
    return {"checksum": source.checksum, "samples": len(source.train_labels), "shape": list(source.shape)}


def state_without_data(state: Mapping[str, Any], source: DataSet, name: str) -> dict[str, Any]:
    """The state of a checkpoint, once its data are known to be those of today.

    Args:
        state: of the checkpoint.
        source: the data set of today.
        name: of the data, for the message.

    Returns:
        The state without the fingerprint.

    Raises:
        UserError: the data have changed since.
    """
    rest = dict(state)
    stored, today = rest.pop(DATA, None), fingerprint(source)
    if isinstance(stored, Mapping) and dict(stored) != today:
        raise UserError(
            f"data '{name}' are not those that the run began with: it learned from {_said(stored)}, and there are "
            f"{_said(today)} now. Put the earlier data back, or begin anew with --force"
        )
    return rest


def _said(data: Mapping[str, Any]) -> str:
    """Describe a fingerprint of data in words."""
    shape = " x ".join(map(str, data.get("shape", ())))
    return f"{data.get('samples')} samples of {shape} ({str(data.get('checksum'))[:12]})"
