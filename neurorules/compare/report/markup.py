"""HTML of the parts of a section. Every text from outside is passed through `escape`."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any, NamedTuple

from neurorules.compare.report.numbers import NONE
from neurorules.compare.report.style import Look, swatch
from neurorules.runs.plain_json import to_json

LONG = 24
"""Names of more characters than this may be broken into lines."""
BREAKS = re.compile("[:=,@_/]")
"""The characters after which a long name may be broken."""


class Column(NamedTuple):
    """A column of a table.

    Args:
        title: the title of its head.
        hint: a sentence that explains it.
        numeric: whether it holds numbers.
        scale: the factor from the value of a cell to the unit of the title: 100 for a share in percent.
    """

    title: str
    hint: str = ""
    numeric: bool = False
    scale: int = 1


class Cell(NamedTuple):
    """A cell of a table.

    Args:
        text: what is shown.
        value: number by which the cell is sorted and as which it is copied; None for the text itself.
        note: a second, smaller line.
        mark: class of the style sheet.
    """

    text: str
    value: float | None = None
    note: str = ""
    mark: str = ""


class TableRow(NamedTuple):
    """A row of a table: its rule and layer, by which readers pick rows, and the cells behind them."""

    rule: str
    cells: Sequence[Cell]
    layer: str | None = None


class Table(NamedTuple):
    """A table that can be sorted and copied, and that shows the rules and layers which the reader picks.

    Args:
        name: the name of its place and of the file it is saved as.
        caption: the line above it.
        columns: those behind the rule and the layer.
        rows: in their first order.
        tall: whether it scrolls after some lines.
    """

    name: str
    caption: str
    columns: Sequence[Column]
    rows: Sequence[TableRow]
    tall: bool = False


def code(text: str) -> str:
    """A word of the command line in HTML; long names may be broken behind their punctuation."""
    shown = escape(text)
    if len(text) > LONG:
        shown = BREAKS.sub(lambda sign: sign[0] + "<wbr>", shown)
    return f"<code>{shown}</code>"


def rule_name(name: str, looks: Mapping[str, Look]) -> str:
    """A rule's name with its mark.

    Args:
        name: the name of the rule.
        looks: how each rule is drawn.

    Returns:
        HTML.
    """
    look = looks.get(name)
    long = " long" if len(name) > LONG else ""
    return f'<span class="rule{long}">{swatch(look) if look else ""}{code(name)}</span>'


def table_html(table: Table, looks: Mapping[str, Look]) -> str:
    """A table in a box in which it scrolls.

    Args:
        table: what is shown.
        looks: how each rule is drawn.

    Returns:
        HTML.
    """
    with_layers = any(row.layer is not None for row in table.rows)
    columns = [Column("rule"), *([Column("layer")] if with_layers else []), *table.columns]
    head = "".join(_head(column) for column in columns)
    body = "\n".join(_row(row, with_layers, looks) for row in table.rows)
    caption = escape(table.caption)
    tall = " tall" if table.tall else ""
    return (
        f'<div class="table-box" data-table="{escape(table.name)}"><div class="table-tools">'
        f'<span class="caption">{caption}</span><span class="buttons">'
        '<button type="button" data-copy>Copy</button><button type="button" data-save>CSV</button></span></div>'
        f'<div class="scroll{tall}" tabindex="0" role="region" aria-label="{caption}"><table><caption class="unseen">'
        f"{caption}</caption><thead><tr>{head}</tr></thead><tbody>\n{body}\n</tbody></table></div></div>"
    )


def _head(column: Column) -> str:
    """Write the head cell of a table's column."""
    hint = f' title="{escape(column.hint)}"' if column.hint else ""
    kind = ' class="number"' if column.numeric else ""
    return f'<th scope="col"{kind} aria-sort="none"><button type="button"{hint}>{escape(column.title)}</button></th>'


def _row(row: TableRow, with_layers: bool, looks: Mapping[str, Look]) -> str:
    """A row, with a cell for the layer where the table has layers."""
    layer = "" if row.layer is None else f' data-layer="{escape(row.layer)}"'
    cells = [f'<th scope="row">{rule_name(row.rule, looks)}</th>']
    if with_layers:
        cells.append(f"<td>{escape(row.layer or NONE)}</td>")
    cells += [_cell(cell) for cell in row.cells]
    return f'<tr data-rule="{escape(row.rule)}"{layer}>{"".join(cells)}</tr>'


def _cell(cell: Cell) -> str:
    number = cell.value is not None or cell.text == NONE
    kinds = " ".join(kind for kind in ("number" if number else "", cell.mark) if kind)
    value = "" if cell.value is None else f' data-value="{cell.value!r}"'
    note = f"<small>{escape(cell.note)}</small>" if cell.note else ""
    marks = f' class="{kinds}"' if kinds else ""
    return f"<td{marks}{value}>{escape(cell.text)}{note}</td>"


def figure(chart: str, title: str, *, layer: str | None = None, group: str | None = None, wide: bool = False) -> str:
    """The place of a chart, which the page's script fills.

    Args:
        chart: name of the chart among the page's specifications.
        title: the line above it.
        layer: name of the layer whose rows it draws; None for all.
        group: name of the choice of measure that it follows; None if its measure is fixed.
        wide: whether it takes a whole line.

    Returns:
        HTML.
    """
    marks = f' data-layer="{escape(layer)}"' if layer is not None else ""
    follows = f' data-group="{escape(group)}"' if group else ""
    named = escape(title)
    return (
        f'<figure class="chart{" wide" if wide else ""}"{marks}{follows}><figcaption>{named}'
        f'<button type="button" class="quiet" data-svg aria-label="Save the chart {named} as SVG">SVG</button>'
        f'</figcaption><div class="canvas" data-chart="{escape(chart)}"></div></figure>'
    )


def small_multiples(chart: str, layers: Sequence[str], group: str) -> str:
    """One chart per layer, side by side.

    Args:
        chart: name of the chart among the page's specifications.
        layers: names of the layers.
        group: name of the choice of measure that they follow.

    Returns:
        HTML.
    """
    figures = (figure(chart, f"{layer}, over epochs", layer=layer, group=group) for layer in layers)
    return f'<div class="grid">{"".join(figures)}</div>'


def choice(group: str, label: str, options: Sequence[tuple[str, str]], about: str = "") -> str:
    """A list of which the reader picks one option; charts of the group follow.

    Args:
        group: name of the group.
        label: what stands before the list.
        options: value and text of each option.
        about: a sentence below the list.

    Returns:
        HTML.
    """
    items = "".join(f'<option value="{escape(value)}">{escape(text)}</option>' for value, text in options)
    return (
        f'<label class="choice">{escape(label)} <select data-choice="{escape(group)}">{items}</select></label>'
        f'<p class="about" data-about="{escape(group)}">{escape(about)}</p>'
    )


def note(text: str) -> str:
    """A line of small text, in HTML."""
    return f'<p class="note">{escape(text)}</p>'


def facts_html(title: str, facts: Mapping[str, Any], kind: str = "") -> str:
    """Names and values that open on a click.

    Args:
        title: what is clicked.
        facts: values by name; those that are None or empty are left out.
        kind: class of the style sheet.

    Returns:
        HTML; empty if no value is left.
    """
    shown = {name: value for name, value in facts.items() if value is not None and value != ""}
    if not shown:
        return ""
    rows = "".join(
        f"<div><dt>{escape(name.replace('_', ' '))}</dt><dd>{escape(shown_text(value))}</dd></div>"
        for name, value in shown.items()
    )
    return f'<details class="{kind}"><summary>{escape(title)}</summary><dl>{rows}</dl></details>'


def shown_text(value: Any) -> str:
    """The value of a setting as a reader would write it."""
    if isinstance(value, float):
        return f"{value:.6g}"
    return value if isinstance(value, str) else to_json(value)
