"""The section on what updates depend on, measured by changing one thing at a time: one matrix per rule."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

from neurorules.compare.report.markup import Cell, Column, Table, TableRow, note, rule_name, table_html
from neurorules.compare.report.numbers import NONE
from neurorules.compare.report.reading import READOUT, Comparison, Row, layer_order
from neurorules.compare.report.sections._shared import Section, by_accuracy
from neurorules.compare.report.style import Look

LEAD = (
    "Each matrix was measured by changing one thing at a time, with the forward pass held fixed. A square is filled if "
    "any bit of the layer's update changed. Blue: the thing is at or below the layer, where synapses can read it. Red: "
    "it is above the layer or in another sample. Violet: it comes later in the trial. The audited net, which is named "
    "below, is a small one and not the net of this comparison."
)
LEGEND = (
    '<p class="legend"><span><i class="own"></i>depends, at or below the layer</span>'
    '<span><i class="above"></i>depends, above the layer or in another sample</span>'
    '<span><i class="signal"></i>depends on the label</span><span><i class="late"></i>depends on later steps</span>'
    "<span><i></i>no bit changed</span></p>"
)
START = ' class="start"'
KINDS = {"weights": "weights of", "activity": "activity of", "label": "", "other_samples": "", "later_steps": ""}
MARKS = {"label": "signal", "other_samples": "above", "later_steps": "late"}
ALONE = {"label": "label", "other_samples": "other samples", "later_steps": "later steps"}


def locality_section(comparison: Comparison, looks: Mapping[str, Look]) -> Section:
    """Make the section that shows what each update depends on.

    Args:
        comparison: the comparison to report.
        looks: how each rule is drawn.

    Returns:
        The section; without an audit it says so.
    """
    order = by_accuracy(comparison)
    rows_of = audited_rows(comparison, order)
    measured = {row["rule"] for row in comparison.dependences}
    audited = {text: rule for text, rule in rows_of.items() if text in measured}
    if not audited and not comparison.facts:
        return Section("locality", "Locality, measured", "", note("No audit was run for this comparison."))
    body = LEGEND if audited else ""
    matrices = "".join(_matrix(comparison, text, rule, looks) for text, rule in audited.items())
    body += f'<div class="grid narrow">{matrices}</div>'
    tables = [_as_table(comparison, audited)] if audited else []
    if comparison.facts:
        rows = [
            TableRow(rule, _facts(fact)) for rule in rows_of.values() if (fact := comparison.fact(rule)) is not None
        ]
        tables.append(Table("facts", "Backward pass and memory, measured", FACTS, rows))
        body += table_html(tables[-1], looks)
    if comparison.audited:
        body += note(f"Audited on {comparison.audited}.")
    if comparison.left_out:
        why = "; ".join(f"{name}, {reason}" for name, reason in comparison.left_out.items())
        body += note(f"Not audited: {why}.")
    lists = {"audit": comparison.dependences} if comparison.dependences else {}
    return Section("locality", "Locality, measured", LEAD, body, lists=lists, tables=tables)


def _as_table(comparison: Comparison, audited: Mapping[str, str]) -> Table:
    """All matrices as one table, a row for each layer that learns, for where no square can be drawn.

    Args:
        comparison: the comparison to report.
        audited: by audited text, the name of its row.
    """
    entries = [row for row in comparison.dependences if row["rule"] in audited]
    columns = _changed(entries)
    depends = {(row["rule"], row["update_of"], row["kind"], row["perturbed"]): row["depends"] for row in entries}
    said = {None: NONE, True: "yes", False: "no"}
    rows = [
        TableRow(rule, [Cell(said[depends.get((text, layer, *column))]) for column in columns], layer)
        for text, rule in audited.items()
        for layer in sorted({row["update_of"] for row in entries if row["rule"] == text}, key=layer_order)
    ]
    heads = [Column(f"{KINDS[kind]} {ALONE.get(kind, perturbed)}".strip()) for kind, perturbed in columns]
    return Table("locality", "What the update of a layer depends on: whether any bit of it changed", heads, rows)


def _changed(entries: Sequence[Row]) -> list[tuple[str, str]]:
    """The variables that were changed, as kind and name, in the order of columns."""
    return [
        (kind, perturbed)
        for kind in KINDS
        for perturbed in sorted({row["perturbed"] for row in entries if row["kind"] == kind}, key=layer_order)
    ]


def audited_rows(comparison: Comparison, order: list[str]) -> dict[str, str]:
    """Choose the row that stands for each text as it was audited: the plain one if there is one, else the first.

    An audit runs in torch, without devices, on the samples' own targets. The control of shuffled targets is left out:
    it reads other samples by design, so that the audit of its rule does not hold for it.

    Args:
        comparison: the comparison to report.
        order: names of its rows, in the order in which they are shown.

    Returns:
        By audited text, the name of the row.
    """
    shuffled = {row["rule"] for row in comparison.rules if row.get("control") == "shuffled"}
    rows: dict[str, str] = {}
    for rule in order:
        text = comparison.audited_as(rule)
        if rule not in shuffled and (text not in rows or rule == text):
            rows[text] = rule
    return rows


FACTS = (
    Column("backward pass", "whether anything travels from a layer to the one below while learning"),
    Column("through layers of the audited net"),
    Column("memory, 4 times the steps", "bytes alive while learning step by step: at 4 T over at T", True),
    Column("schedule"),
)


def _facts(fact: Row) -> list[Cell]:
    """The cells of a rule's row in the table of facts."""
    backward, growth = fact.get("backward_pass"), fact.get("memory_growth")
    word = NONE if backward is None else "yes" if backward else "none"
    constant = "" if growth is None else "constant in T" if growth < 1.05 else "grows with T"
    return [
        Cell(word, mark="" if backward is None else "yes" if backward else "no"),
        Cell(", ".join(fact.get("backward_through") or []) or NONE),
        Cell(NONE if growth is None else f"× {growth:.2f}", growth, constant),
        Cell(str(fact.get("schedule_used") or NONE).replace("_", " ")),
    ]


def _matrix(comparison: Comparison, audited: str, rule: str, looks: Mapping[str, Look]) -> str:
    """The matrix of one rule: rows are layers that learn, the read-out on top, columns what was changed."""
    entries = [row for row in comparison.dependences if row["rule"] == audited]
    depends = {(row["update_of"], row["kind"], row["perturbed"]): bool(row["depends"]) for row in entries}
    layers = sorted({row["update_of"] for row in entries}, key=layer_order)
    columns = _changed(entries)
    groups = "".join(
        f'<th scope="colgroup" class="start" colspan="{count}">{escape(KINDS[kind])}</th>'
        for kind in KINDS
        if (count := sum(column[0] == kind for column in columns))
    )
    starts = {next(column for column in columns if column[0] == kind) for kind, _ in columns}
    heads = "".join(
        f'<th scope="col"{START * ((kind, name) in starts)}><span>{escape(ALONE.get(kind, name))}</span></th>'
        for kind, name in columns
    )
    body = "".join(
        f'<tr><th scope="row">{escape(layer)}</th>'
        + "".join(
            _square(layer, column, depends.get((layer, *column)), " start" * (column in starts)) for column in columns
        )
        + "</tr>"
        for layer in reversed(layers)
    )
    return (
        f'<figure class="matrix" data-rule="{escape(rule)}"><figcaption>{rule_name(rule, looks)}</figcaption>'
        f'<div class="scroll" tabindex="0" role="region" aria-label="what the updates of {escape(rule)} depend on">'
        f"<table><thead><tr><td></td>{groups}</tr><tr><th scope='col' class='corner'>update of</th>{heads}</tr></thead>"
        f"<tbody>{body}</tbody></table></div></figure>"
    )


def _square(layer: str, column: tuple[str, str], depends: bool | None, start: str) -> str:
    """One cell of a matrix; `depends` is None if this was not tried."""
    kind, perturbed = column
    if depends is None:
        return f'<td class="unknown{start}"><span class="unseen">not tried</span></td>'
    if not depends:
        return f'<td class="free{start}"><span class="unseen">no</span></td>'
    above = kind in ("weights", "activity") and layer_order(perturbed) > layer_order(layer) and layer != READOUT
    mark = "above" if above else MARKS.get(kind, "own")
    title = f"the update of {layer} changes with {KINDS[kind]} {ALONE.get(kind, perturbed)}".replace("  ", " ")
    return f'<td class="{mark}{start}" title="{escape(title)}"><span class="unseen">yes</span></td>'
