"""The table of rules and devices: rows of a comparison that differ only in their device model, next to each other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple


class OnDevices(NamedTuple):
    """The rows of a comparison, by rule and by device.

    Args:
        devices: names of the device models in the order of the comparison, `none` for floating point among them.
        rows: by rule (its name without a device) and by device, the name of the row. A rule may lack a device.
    """

    devices: list[str]
    rows: dict[str, dict[str, str]]


def on_devices(runs: Sequence[Mapping[str, Any]]) -> OnDevices | None:
    """Arrange the rows of a comparison by the devices that they learned on.

    Args:
        runs: the runs of a `compare.json`.

    Returns:
        The rows; None if all runs learned on the same device.
    """
    devices = list(dict.fromkeys(str(run.get("hardware", "none")) for run in runs))
    if len(devices) < 2:
        return None
    rows: dict[str, dict[str, str]] = {}
    for run in runs:
        device, name = str(run.get("hardware", "none")), str(run["rule"])
        rule = name if device == "none" else name.replace(f" @ {device}", "", 1)
        rows.setdefault(rule, {})[device] = name
    return OnDevices(devices, rows)
