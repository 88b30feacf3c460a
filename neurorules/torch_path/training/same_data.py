"""The check that a run continues with the data that it began with, by a fingerprint in its checkpoints."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from neurorules.contracts.data_set import DataSet
from neurorules.language.errors import UserError

DATA = "data"
"""The key of the fingerprint in a checkpoint's state. Checkpoints of earlier versions have none."""


def fingerprint(source: DataSet) -> dict[str, Any]:
    """The fingerprint of data: the checksum of their content, and facts that a user recognises.

    Args:
        source: the data set.

    Returns:
        Values that JSON can hold, by name.
    """
    return {"checksum": source.checksum, "samples": len(source.train_labels), "shape": list(source.shape)}


def state_without_data(state: Mapping[str, Any], source: DataSet, name: str) -> dict[str, Any]:
    """The state of a checkpoint, after the check that its data are today's.

    Args:
        state: the state of the checkpoint.
        source: the data set of today.
        name: the name of the data, for the message.

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
