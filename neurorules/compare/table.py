"""The table of a comparison: one row per rule, with mean and spread over seeds."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from neurorules.compare.measures.costs import Energies, energies_of
from neurorules.compare.measures.on_devices import on_devices
from neurorules.contracts.target import FIGURES, first_figure

PJ_IN_NJ = 1000.0
WHOLE_FROM = 1000.0
"""The energy from which on values are shown as whole numbers."""


@dataclass(frozen=True)
class Row:
    """One rule, averaged over its seeds.

    Args:
        rule: the name with options, and the device if there is one.
        rates: learning rates of hidden layers (None for a control, whose layers do not learn), and of the read-out.
        seeds: number of seeds.
        test, test_spread: mean and standard deviation (n-1) of the test accuracy, in 0..1, or of the first figure of
            another task; spread 0 for one seed.
        validation: mean of the same on the validation samples; None if no samples were held out.
        seconds: mean seconds of learning.
        spikes: mean number of hidden spikes per sample.
        needs: the needs of the rule's signal, in words of `signals.NEEDS`.
        figure: the figure that is shown, a key of `contracts.target.FIGURES`.
        r2: mean R2 of the test values, which is 0 where their mean is predicted; None for tasks without values.
    """

    rule: str
    rates: tuple[float | None, float | None]
    seeds: int
    test: float
    test_spread: float
    validation: float | None
    seconds: float
    spikes: float
    needs: tuple[str, ...]
    figure: str = "accuracy"
    r2: float | None = None


def rows_of(runs: Sequence[dict[str, Any]]) -> list[Row]:
    """Average runs of `compare.json` over seeds: one row for each rule, in the order in which rules first appear."""
    groups: dict[str, list[dict[str, Any]]] = {}
    for run in runs:
        groups.setdefault(run["rule"], []).append(run)
    return [_row(name, group) for name, group in groups.items()]


def mean_and_spread(values: Sequence[float]) -> tuple[float, float]:
    """Mean and standard deviation (n-1) of at least one value; the deviation of one value is 0."""
    return statistics.mean(values), statistics.stdev(values) if len(values) > 1 else 0.0


def _row(name: str, group: list[dict[str, Any]]) -> Row:
    """The row of one rule, from the runs of its seeds."""
    figure = first_figure(group[0])
    test = [run[f"test_{figure}"] for run in group]
    validation = [run[f"validation_{figure}"] for run in group if run[f"validation_{figure}"] is not None]
    return Row(
        name,
        (None if group[0]["control"] == "shallow" else group[0]["lr"], group[0]["readout_lr"]),
        len(group),
        *mean_and_spread(test),
        statistics.mean(validation) if validation else None,
        statistics.mean(run["train_seconds"] for run in group),
        statistics.mean(run["spikes_per_sample"] for run in group),
        tuple(group[0]["needs"]),
        figure,
        statistics.mean(run["test_r2"] for run in group) if "test_r2" in group[0] else None,
    )


COLUMNS = (
    "rule",
    "rate",
    "read-out rate",
    "test %",
    "validation %",
    "spikes a sample",
    "seconds",
    "what the signal needs",
)
"""Titles of the columns, where the figure is the accuracy."""
TEST = COLUMNS.index("test %")


def columns(rows: Sequence[Row]) -> tuple[str, ...]:
    """Titles of the columns of a table, whose rows have one figure."""
    figure = rows[0].figure if rows else "accuracy"
    if figure == "accuracy":
        return COLUMNS
    named = f"{FIGURES[figure].words}{' %' if FIGURES[figure].share else ''}"
    titles = {"test %": f"test {named}" + (" (R2)" if figure == "mse" else ""), "validation %": f"validation {named}"}
    return tuple(titles.get(title, title) for title in COLUMNS)


def cells(row: Row) -> tuple[str, ...]:
    """The texts of one row's cells, under `columns`."""

    def number(value: float) -> str:
        return f"{100 * value:.2f}" if FIGURES[row.figure].share else f"{value:.4g}"

    spread = f" ± {number(row.test_spread)}" if row.seeds > 1 else ""
    spread += "" if row.r2 is None else f" ({row.r2:.3f})"
    validation = "-" if row.validation is None else number(row.validation)
    needs = ", ".join(need.replace("_", " ") for need in row.needs) or "nothing"
    rates = ["-" if rate is None else f"{rate:g}" for rate in row.rates]
    return (
        row.rule,
        *rates,
        f"{number(row.test)}{spread}",
        validation,
        f"{row.spikes:.0f}",
        f"{row.seconds:.1f}",
        needs,
    )


def by_device(runs: Sequence[dict[str, Any]]) -> list[tuple[str, ...]]:
    """The figure of each rule on each device, if a comparison has several devices.

    Args:
        runs: the runs of a `compare.json`.

    Returns:
        Titles, and a line for each rule; nothing if all runs learned on the same device.
    """
    rows = on_devices(runs)
    if rows is None:
        return []
    figures = {row.rule: cells(row)[TEST] for row in rows_of(runs)}
    lines = [
        (rule, *(figures.get(own.get(device, ""), "-") for device in rows.devices)) for rule, own in rows.rows.items()
    ]
    return [("rule", *("float" if device == "none" else device for device in rows.devices)), *lines]


def energy_by_device(runs: Sequence[dict[str, Any]]) -> list[tuple[str, ...]]:
    """The energy of a sample of each rule on each device, if a comparison has several devices.

    Args:
        runs: the runs of a `compare.json`.

    Returns:
        Titles, and a line for each rule: nJ of running and of learning; nothing if no device gives them.
    """
    on_all = on_devices(runs)
    if on_all is None:
        return []
    groups: dict[str, list[Energies]] = {}
    for run in runs:
        groups.setdefault(run["rule"], []).append(energies_of(run))
    devices = [
        device for device in on_all.devices if any(
            one != Energies(None, None) for own in on_all.rows.values() for one in groups.get(own.get(device, ""), [])
        )
    ]  # fmt: skip
    lines = [
        (rule, *(both_energies(groups.get(own.get(device, ""), [])) for device in devices))
        for rule, own in on_all.rows.items()
    ]
    return [("rule", *devices), *lines] if devices else []


def both_energies(runs: Sequence[Energies]) -> str:
    """Mean energies of runs as a text, such as "410 + 38,110": nJ of running, and of learning from the sample.

    Args:
        runs: the runs of one rule on one device.

    Returns:
        The text, with a dash for a value that is not known.
    """
    parts = []
    for values in ([one.running_pJ for one in runs], [one.learning_pJ for one in runs]):
        there = [value for value in values if value is not None]
        parts.append(in_nJ(statistics.fmean(there)) if there else "-")
    return " + ".join(parts)


def in_nJ(pJ: float) -> str:
    """An energy in nJ as a text: four digits, and whole numbers from 1,000 on.

    Args:
        pJ: the energy.

    Returns:
        Such as "410" or "38,110".
    """
    nJ = pJ / PJ_IN_NJ
    return f"{nJ:,.0f}" if nJ >= WHOLE_FROM else f"{nJ:.4g}"


def as_markdown(rows: Sequence[Row]) -> str:
    """The table as Markdown, with a line of titles."""
    titles = columns(rows)
    lines = ["| " + " | ".join(titles) + " |", "|" + " --- |" * len(titles)]
    lines += ["| " + " | ".join(cells(row)) + " |" for row in rows]
    return "\n".join(lines)
