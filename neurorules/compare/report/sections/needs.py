"""The section on what a rule's signal needs, and which of the problems of backpropagation it keeps."""

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
    "The information that a chip or a brain must provide for each rule, and the problems of backpropagation "
    "(Dellaferrera and Kreiman, 2022) that the rule has. Entries are measured if they say so, and otherwise derived "
    "from the declaration of the signal."
)
HINTS = {
    "weight_symmetry": "Errors travel back through the forward weights, or a copy of them.",
    "non_local_signals": "An update depends on more than its own synapse.",
    "frozen_activity": "Activity has to be stored until an error arrives.",
    "update_locking": "A layer cannot learn before later layers have processed the batch.",
}


def needs_section(comparison: Comparison, looks: Mapping[str, Look]) -> Section:
    """Make the section that shows what each rule needs, and which problems it keeps.

    Args:
        comparison: the comparison to report.
        looks: how each rule is drawn.

    Returns:
        The section.
    """
    by_name = {row["rule"]: row for row in comparison.rules}
    columns = [Column("its signal needs"), *(Column(PROBLEMS[name], HINTS[name]) for name in PROBLEMS)]
    rows = [TableRow(name, [_needs(by_name[name]), *_problems(by_name[name])]) for name in by_accuracy(comparison)]
    table = Table("needs", "Needs and problems by rule", columns, rows)
    return Section("needs", "Needs and problems", LEAD, table_html(table, looks), tables=[table])


def _needs(row: Row) -> Cell:
    """The cell of what a rule's signal needs."""
    needs = row.get("needs") or []
    if not needs:
        return Cell("nothing")
    text = ", ".join(need.replace("_", " ") for need in needs)
    return Cell(text, note="; ".join(NEEDS[need] for need in needs if need in NEEDS), mark="words")


def _problems(row: Row) -> list[Cell]:
    """The cells of the four problems of backpropagation."""
    problems = row.get("problems") or {}
    return [_problem(problems.get(name)) for name in PROBLEMS]


def _problem(answer: Row | None) -> Cell:
    """The cell of one problem, with the sentence that explains it."""
    if not answer or answer.get("has") is None:
        return Cell(NONE, note=(answer or {}).get("how") or "", mark="words")
    source = "measured" if answer.get("measured") else "derived"
    how = answer.get("how") or ""
    mark = "words yes" if answer["has"] else "words no"
    return Cell("✕ has it" if answer["has"] else "✓ free of it", note=f"{source}: {how}" if how else source, mark=mark)
