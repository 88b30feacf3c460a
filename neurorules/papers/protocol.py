"""Tables of papers that are measured on one synapse, without training: their rows and results."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from neurorules.papers.published import Published
from neurorules.runs.progress import track


@dataclass(frozen=True)
class Protocol:
    """One line of a table: a protocol for a synapse, and the paper's result of it.

    Args:
        label: such as "+10 ms, 50 Hz".
        measure: a function that runs the protocol, and returns the result in the unit of the table.
        published: the paper's number.
        beside: further numbers for comparison, by title of the column.
    """

    label: str
    measure: Callable[[], float]
    published: Published
    beside: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Protocols:
    """A table of protocols: its title, which names the unit, and its rows."""

    title: str
    rows: tuple[Protocol, ...]


def measured(tables: tuple[Protocols, ...], only: Callable[[str, str], bool], quiet: bool) -> list[dict[str, Any]]:
    """Measure the rows of some tables.

    Args:
        tables: the tables of a paper.
        only: whether a row is wanted, from the title of its table and its label.
        quiet: show no progress bar.

    Returns:
        Title and rows of each table; each row has label, published, ours and beside.
    """
    wanted = [(table, row) for table in tables for row in table.rows if only(table.title, row.label)]
    ours = {id(row): row.measure() for _, row in track(wanted, "measuring", quiet=quiet)}
    return [
        {
            "title": table.title,
            "rows": [
                {
                    "label": row.label,
                    "published": row.published._asdict(),
                    "ours": ours[id(row)],
                    "beside": dict(row.beside),
                }
                for row in table.rows
                if id(row) in ours
            ],
        }
        for table in tables
        if any(id(row) in ours for row in table.rows)
    ]
