"""The tables of a report as plain text, and as CSV and Markdown."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from neurorules.compare.report.markup import Cell, Column, Table
from neurorules.compare.report.numbers import NONE


class TextTable(NamedTuple):
    """A table in which everything is text.

    Args:
        name: the name of its files.
        caption: the caption of the table.
        head: title of each column.
        numeric: whether a column holds numbers.
        hints: by title, the sentence that explains a column.
        rows: the text of each cell.
        values: the number of each cell in the unit of its column, whole; the text where there is none, "" for no value.
        long: whether it may be longer than a page.
    """

    name: str
    caption: str
    head: Sequence[str]
    numeric: Sequence[bool]
    hints: Mapping[str, str]
    rows: Sequence[Sequence[str]]
    values: Sequence[Sequence[str]]
    long: bool


def text_table(table: Table) -> TextTable:
    """A table of the report as text; the rule, and the layer where there are layers, stand first in each row.

    Args:
        table: as a section of the report has it.

    Returns:
        The table. The note of a number follows it in brackets.
    """
    layers = any(row.layer is not None for row in table.rows)
    columns = [Column("rule"), *([Column("layer")] if layers else []), *table.columns]
    firsts = [[row.rule, *([row.layer or NONE] if layers else [])] for row in table.rows]
    return TextTable(
        table.name,
        table.caption,
        [column.title for column in columns],
        [column.numeric for column in columns],
        {column.title: column.hint for column in columns if column.hint},
        [[*first, *map(_shown, row.cells)] for first, row in zip(firsts, table.rows, strict=True)],
        [
            [*first, *(_value(cell, column) for cell, column in zip(row.cells, table.columns, strict=True))]
            for first, row in zip(firsts, table.rows, strict=True)
        ],
        table.tall,
    )


def csv_table(table: TextTable) -> str:
    """A table as CSV: whole numbers, none of them rounded, in the unit of their column."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(table.head)
    writer.writerows(table.values)
    return out.getvalue()


def markdown_table(table: TextTable) -> str:
    """A table as Markdown, under its caption."""
    lines = [f"{table.caption}.", "", *_lines(table), ""]
    return "\n".join(lines)


def _lines(table: TextTable) -> Iterator[str]:
    yield _line(table.head)
    yield _line(["---:" if numeric else "---" for numeric in table.numeric])
    yield from (_line(row) for row in table.rows)


def _line(cells: Sequence[str]) -> str:
    """A line of a table; a bar or a line break would end a cell, and signs of HTML are shown as they are."""
    escapes = {"\\": "\\\\", "|": "\\|", "\n": " ", "<": "&lt;", "&": "&amp;", "_": "\\_", "*": "\\*", "`": "\\`"}
    shown = ("".join(escapes.get(sign, sign) for sign in cell) for cell in cells)
    return f"| {' | '.join(shown)} |"


def _shown(cell: Cell) -> str:
    return f"{cell.text} ({cell.note})" if cell.note and cell.value is not None else cell.text


def _value(cell: Cell, column: Column) -> str:
    if not column.numeric:
        return "" if cell.text == NONE else cell.text
    return "" if cell.value is None else repr(cell.value * column.scale)
