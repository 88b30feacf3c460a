"""The output of commands: a JSON object, or tables for a terminal."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

from neurorules.runs.plain_json import to_json


def print_json(value: Any) -> None:
    """Print one JSON object on stdout; letters that stdout cannot show are written by their numbers."""
    text = to_json(value)
    try:
        text.encode(sys.stdout.encoding or "utf-8")
    except UnicodeEncodeError:
        text = to_json(value, ascii_only=True)
    print(text)


def print_table(columns: Sequence[str], rows: Sequence[Sequence[str]], widest: int | None = None) -> None:
    """Print a table that fits the terminal.

    Args:
        columns: titles of the columns.
        rows: rows with one cell per column.
        widest: largest width in characters if stdout is not a terminal; None for no limit.
    """
    from rich.console import Console
    from rich.table import Table

    console = Console()
    if widest is not None:
        console = Console(width=min(console.width, widest) if console.is_terminal else widest)
    elif not console.is_terminal:
        console = Console(
            width=max(120, sum(max(len(row[i]) for row in [columns, *rows]) + 3 for i in range(len(columns))))
        )
    table = Table(box=None, pad_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold", no_wrap=column == "name")
    for row in rows:
        table.add_row(*row)
    console.print(table, markup=False)
