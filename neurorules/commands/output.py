"""What commands print: a JSON object, or lines for people."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.table import Table

from neurorules.runs.plain_json import to_json


def print_json(value: Any) -> None:
    """One JSON object on stdout."""
    print(to_json(value))


def print_table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """A table that fits the terminal; whole where stdout is no terminal."""
    console = Console()
    if not console.is_terminal:
        console = Console(
            width=max(120, sum(max(len(row[i]) for row in [columns, *rows]) + 3 for i in range(len(columns))))
        )
    table = Table(box=None, pad_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*row)
    console.print(table, markup=False)
