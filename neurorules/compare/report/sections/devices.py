"""The section on the accuracy of each rule on each device model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from neurorules.compare.measures.on_devices import OnDevices, on_devices
from neurorules.compare.report.charts.by_device import by_device
from neurorules.compare.report.markup import Cell, Column, Table, TableRow, figure, table_html
from neurorules.compare.report.numbers import NONE, Number, percent, points
from neurorules.compare.report.reading import Comparison
from neurorules.compare.report.sections._shared import Section, by_accuracy
from neurorules.compare.report.style import Look
from neurorules.compare.table import in_nJ

FULL = 0.1
"""The loss at which a square has its full colour, as a share of all test samples."""
ENERGIES = {
    "energy_pJ": "Energy of running a sample by rule and device, nJ",
    "learning_energy_pJ": "Energy of learning from a sample by rule and device, nJ",
}
"""Keys of a row's energies, and the titles of their tables."""
LEAD = (
    "Mean test accuracy of each rule on each device model, and below it the difference to the same rule in floating "
    "point, in points. All other settings are the same, so that what differs is the device. "
    "Energies are counts of events times published figures, for the devices that have such; leakage is left out."
)


def devices_section(comparison: Comparison, looks: Mapping[str, Look]) -> Section | None:
    """Make the section that sets rules beside devices.

    Args:
        comparison: the comparison to report.
        looks: how each rule is drawn.

    Returns:
        The section; None if all rows learned on one device, or samples have no class.
    """
    on_all = on_devices(comparison.runs)
    if on_all is None or comparison.figure != "accuracy":
        return None
    means = {row["rule"]: (row.get("test_accuracy") or {}).get("mean") for row in comparison.rules}
    best = by_accuracy(comparison)
    rules = sorted(on_all.rows, key=lambda rule: best.index(next(iter(on_all.rows[rule].values()))))
    columns = [Column("floating point" if name == "none" else name, "", True, 100) for name in on_all.devices]
    rows = [
        TableRow(
            next(iter(on_all.rows[rule].values())), [_cell(on_all, means, rule, device) for device in on_all.devices]
        )
        for rule in rules
    ]
    table = Table("devices", "Test accuracy by rule and device, %", columns, rows)
    energies = _energies(comparison, on_all, rules)
    squares = [_square(on_all, means, rule, device) for rule in rules for device in on_all.rows[rule]]
    return Section(
        "devices",
        "Devices",
        LEAD,
        figure("devices", "What each device takes", wide=True)
        + "".join(table_html(one, looks) for one in (table, *energies)),
        {"devices": by_device(rules, on_all.devices)},
        {"devices": squares},
        tables=[table, *energies],
    )


def _energies(comparison: Comparison, on_all: OnDevices, rules: list[str]) -> list[Table]:
    """The tables of energies for inference and learning, for devices that report them."""
    rows = {row["rule"]: row for row in comparison.rules}
    tables = []
    for key, title in ENERGIES.items():
        devices = [
            d for d in on_all.devices if any((rows.get(own.get(d, "")) or {}).get(key) for own in on_all.rows.values())
        ]
        if devices:
            lines = [
                TableRow(next(iter(on_all.rows[rule].values())),
                         [_energy(rows.get(on_all.rows[rule].get(device, "")), key) for device in devices])
                for rule in rules
            ]  # fmt: skip
            tables.append(Table(key, title, [Column(name, "", True, 100) for name in devices], lines))
    return tables


def _energy(row: Mapping[str, Any] | None, key: str) -> Cell:
    value = None if row is None else row.get(key)
    return Cell(NONE if value is None else in_nJ(value), value)


def _change(on_all: OnDevices, means: Mapping[str, Number | None], rule: str, device: str) -> Number | None:
    """The mean on a device less that in floating point; None for floating point itself, or where one is missing."""
    own, plain = (means.get(on_all.rows[rule].get(name, "")) for name in (device, "none"))
    return None if device == "none" or own is None or plain is None else own - plain


def _cell(on_all: OnDevices, means: Mapping[str, Number | None], rule: str, device: str) -> Cell:
    mean, change = means.get(on_all.rows[rule].get(device, "")), _change(on_all, means, rule, device)
    return Cell(NONE if mean is None else percent(mean, 2), mean, "" if change is None else points(change, 2))


def _square(on_all: OnDevices, means: Mapping[str, Number | None], rule: str, device: str) -> dict[str, Any]:
    """A row of the chart; its rule is the row of the comparison, by which readers pick."""
    name, change = on_all.rows[rule][device], _change(on_all, means, rule, device)
    return {
        "rule": name,
        "base": rule,
        "device": device,
        "mean": means.get(name),
        "change": NONE if change is None else f"{points(change, 2)} points",
        "full": min(max(-(change or 0.0) / FULL, 0.0), 1.0),
    }
