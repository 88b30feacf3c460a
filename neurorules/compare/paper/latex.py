"""Text and tables in LaTeX, with the rules of the package booktabs."""

from __future__ import annotations

from collections.abc import Sequence

from neurorules.compare.paper.text_tables import TextTable

SIGNS = {
    "\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "$": r"\$", "&": r"\&", "%": r"\%", "#": r"\#", "_": r"\_",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": r"\textless{}", ">": r"\textgreater{}",
    "|": r"\textbar{}", '"': r"\textquotedbl{}", "`": r"\textasciigrave{}",
    "−": "$-$", "±": r"$\pm$", "×": r"$\times$", "°": r"$^\circ$", "–": "--", "\u2009": r"\,", "\u00a0": "~",
    "…": r"\ldots{}", "✕": r"$\times$", "✓": r"$\surd$",
}  # fmt: skip
"""Replacements for characters that are special in LaTeX, or that older engines do not support."""
PACKAGES = r"% \usepackage[T1]{fontenc} \usepackage{textcomp,booktabs,longtable}"
"""The packages that the preamble of a document needs."""


def escaped(text: str) -> str:
    """Escape a text for LaTeX, character by character; line breaks become spaces."""
    return "".join(SIGNS.get(sign, sign) for sign in " ".join(text.split("\n")))


def latex_table(table: TextTable) -> str:
    """A table as LaTeX: in a float, or over several pages if it has many rows.

    Args:
        table: the table; the hints of its columns are written as comments.

    Returns:
        The source, from its packages (a comment) on.
    """
    columns = "".join("r" if numeric else "l" for numeric in table.numeric)
    head = _line(table.head)
    rows = [_line(row) for row in table.rows]
    caption = rf"\caption{{{escaped(table.caption)}}}" + "\n" + rf"\label{{tab:{table.name}}}"
    if table.long:
        body = [
            rf"\begin{{longtable}}{{{columns}}}", f"{caption} \\\\", r"\toprule", head, r"\midrule", r"\endhead",
            r"\bottomrule", r"\endfoot", *rows, r"\end{longtable}",
        ]  # fmt: skip
    else:
        body = [
            r"\begin{table}", r"\centering", caption, rf"\begin{{tabular}}{{{columns}}}", r"\toprule", head,
            r"\midrule", *rows, r"\bottomrule", r"\end{tabular}", r"\end{table}",
        ]  # fmt: skip
    notes = [f"% {title}: {' '.join(hint.split())}" for title, hint in table.hints.items()]
    return "\n".join([PACKAGES, *notes, *body, ""])


def _line(cells: Sequence[str]) -> str:
    return " & ".join(escaped(cell) for cell in cells) + r" \\"
