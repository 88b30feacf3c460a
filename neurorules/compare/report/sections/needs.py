"""What a rule's signal needs, and which of backpropagation's problems it keeps."""

from __future__ import annotations

from collections.abc import Mapping

from neurorules.compare.report.finding import PROBLEMS
from neurorules.compare.report.markup import Cell, Column, Table, TableRow, table_html
from neurorules.compare.report.numbers import NONE
from neurorules.compare.report.reading import Comparison, Row
from neurorules.compare.report.sections._shared import Section, by_accuracy
from neurorules.compare.report.style import Look
from neurorules.contracts.view import NEEDS

LEAD = (
    "What a chip or a brain must bring for a rule to work, and which of the four problems of backpropagation "
    "(Dellaferrera and Kreiman, 2022) it keeps. Measured where it says so, else derived from what its signal declares."
)
HINTS = {
    "weight_symmetry": "Errors travel back through the forward weights, or a copy of them.",
    "non_local_signals": "An update reads what does not stand at its own synapse.",
    "frozen_activity": "Activity has to be held, or stored, until an error arrives.",
    "update_locking": "A layer cannot learn before later layers have answered.",
}


def needs_section(comparison: Comparison, looks: Mapping[str, Look]) -> Section:
    """The section."""
    found = {row["rule"]: row for row in comparison.rules}
    columns = [Column("its signal needs"), *(Column(PROBLEMS[name], HINTS[name]) for name in PROBLEMS)]
    rows = [TableRow(name, [_needs(found[name]), *_problems(found[name])]) for name in by_accuracy(comparison)]
    table = Table("needs", "Needs and problems by rule", columns, rows)
    return Section("needs", "Needs and problems", LEAD, table_html(table, looks))


def _needs(row: Row) -> Cell:
    needs = row.get("needs") or []
    if not needs:
        return Cell("nothing")
    text = ", ".join(need.replace("_", " ") for need in needs)
    return Cell(text, note="; ".join(NEEDS[need] for need in needs if need in NEEDS), mark="words")


def _problems(row: Row) -> list[Cell]:
    problems = row.get("problems") or {}
    return [_problem(problems.get(name)) for name in PROBLEMS]


def _problem(found: Row | None) -> Cell:
    if not found or found.get("has") is None:
        return Cell(NONE, note=(found or {}).get("how") or "", mark="words")
    source = "measured" if found.get("measured") else "derived"
    how = found.get("how") or ""
    mark = "words yes" if found["has"] else "words no"
    return Cell("✕ has it" if found["has"] else "✓ free of it", note=f"{source}: {how}" if how else source, mark=mark)
