"""The section on how the comparison was made: its command, machine and versions, and its numbers as files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from neurorules.compare.report.markup import Cell, Column, Table, TableRow, facts_html, shown_text, table_html
from neurorules.compare.report.numbers import NONE, fixed, percent, plain_number
from neurorules.compare.report.reading import Comparison, Row
from neurorules.compare.report.sections._shared import Section
from neurorules.compare.report.style import Look
from neurorules.contracts.target import FIGURES
from neurorules.runs.plain_json import to_json

FILES = ("rules", "runs", "epochs", "alignment", "layers", "audit")


def making_section(comparison: Comparison, looks: Mapping[str, Look]) -> Section:
    """Make the section that shows how the comparison was made.

    Args:
        comparison: the comparison to report.
        looks: how each rule is drawn.

    Returns:
        The section.
    """
    runs = [flat(run) for run in comparison.runs]
    rules = [flat(rule) for rule in comparison.rules]
    files = "".join(f'<button type="button" data-file="{name}">{name}.csv</button>' for name in FILES)
    body = f'<div class="command"><pre><code>{escape(comparison.command)}</code></pre>'
    body += '<button type="button" data-copy-command>Copy</button></div>' if comparison.command else "</div>"
    body += f'<p class="files"><span>All numbers as CSV:</span> {files}</p>'
    body += '<div class="facts">'
    body += facts_html("Versions", comparison.versions)
    body += facts_html("Machine", {**comparison.machine, "date": comparison.date})
    body += "</div>"
    tables = [_runs(comparison)] if comparison.runs else []
    body += "".join(table_html(table, looks) for table in tables)
    return Section(
        "making",
        "How it was made",
        "The command makes this comparison again; with the same version, on the same machine with the same threads, "
        "to the bit. Data and nets that were Python objects are handed over again.",
        body,
        lists={"runs": runs, "rules": rules},
        tables=tables,
    )


def flat(row: Row, prefix: str = "") -> dict[str, Any]:
    """Flatten the nested values of a row.

    Args:
        row: a row of a list of `compare.json`.
        prefix: the prefix of every name.

    Returns:
        Values by name: nested names are joined by a full stop, lists are JSON.
    """
    flattened: dict[str, Any] = {}
    for name, value in row.items():
        if isinstance(value, Mapping):
            flattened |= flat(value, f"{prefix}{name}.")
        else:
            flattened[f"{prefix}{name}"] = to_json(value) if isinstance(value, list | tuple) else value
    return flattened


def _runs(comparison: Comparison) -> Table:
    """The table of runs: one row per run, with the settings that each rule brings."""
    differing: Sequence[str] = comparison.differing
    figure, share = comparison.figure, FIGURES[comparison.figure].share
    titled, scale = ("%" if figure == "accuracy" else FIGURES[figure].words), (100 if share else 1)
    columns = [
        Column("seed", "", True),
        Column(f"test {titled}", "", True, scale),
        Column(f"validation {titled}", "", True, scale),
        Column("seconds", "", True),
        *(Column(name.replace("_", " "), "each rule brings its own") for name in differing),
    ]
    rows = []
    for run in comparison.runs:
        test, validation, seconds = (
            run.get(name) for name in (f"test_{figure}", f"validation_{figure}", "train_seconds")
        )
        cells = [
            Cell(str(run.get("seed", NONE)), run.get("seed")),
            Cell(percent(test, 2) if share else plain_number(test, 4), test),
            Cell(percent(validation, 2) if share else plain_number(validation, 4), validation),
            Cell(fixed(seconds, 1), seconds),
            *(Cell(NONE if run.get(name) is None else shown_text(run[name])) for name in differing),
        ]
        rows.append(TableRow(str(run["rule"]), cells))
    return Table("runs", "Every run, and the settings its rule brings", columns, rows, tall=True)
