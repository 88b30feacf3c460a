"""Tables and figures as HTML without scripts; all texts are escaped."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Sequence
from html import escape


def table(titles: Sequence[str], rows: Iterable[Sequence[str]], caption: str = "") -> str:
    """Write a table as HTML.

    Args:
        titles: the titles of the columns; none for a table without titles.
        rows: texts of the cells.
        caption: a text above the table.

    Returns:
        HTML.
    """
    head = f"<thead><tr>{_cells('th', titles)}</tr></thead>" if titles else ""
    body = "".join(f"<tr>{_cells('td', row)}</tr>" for row in rows)
    above = f"<caption>{escape(caption)}</caption>" if caption else ""
    return f"<table>{above}{head}<tbody>{body}</tbody></table>"


def picture(png: bytes, says: str) -> str:
    """Write a figure as HTML.

    Args:
        png: the bytes of a PNG file.
        says: a description for readers who do not see the figure.

    Returns:
        HTML that contains the image data.
    """
    return f'<img alt="{escape(says, quote=True)}" src="data:image/png;base64,{base64.b64encode(png).decode()}">'


def _cells(tag: str, texts: Sequence[str]) -> str:
    return "".join(f"<{tag} style='text-align:left'>{escape(text)}</{tag}>" for text in texts)
