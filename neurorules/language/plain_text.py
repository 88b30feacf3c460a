"""Plain text for pages, figures and messages: counts with their noun, and tables in Markdown."""

from __future__ import annotations

from collections.abc import Sequence


def counted(number: int, thing: str) -> str:
    """Write a count with its noun, such as "1 neuron" or "2 neurons".

    Args:
        number: the count, >= 0.
        thing: the singular of a noun whose plural ends in s.

    Returns:
        The text.
    """
    return f"{number} {thing}{'' if number == 1 else 's'}"


def markdown_rows(titles: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Write a table in Markdown, without a line break at the end.

    Args:
        titles: the titles of the columns.
        rows: the cells of each row, as many as there are titles; a bar in a cell is escaped.

    Returns:
        The lines of the table.
    """
    lines = [titles, ["---"] * len(titles), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)
