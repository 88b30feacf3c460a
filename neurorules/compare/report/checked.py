"""The check that the lists of a `compare.json` hold rows, and numbers where the report computes with them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from neurorules.contracts.target import FIGURES
from neurorules.language.errors import UserError

MEASURED = ("alignment", "layers", "epochs")
"""The lists whose columns are numbers, except for the two that say whose a row is."""
WHOSE = ("rule", "layer")
"""The columns that say whose a row is."""
PARTS = ("test", "validation", "train")
FIGURE_COLUMNS = {f"{part}_{name}" for part in PARTS for name in (*FIGURES, "loss", "seconds")}
"""The columns of results that the report computes with in the other lists."""


def checked_rows(content: Mapping[str, Any], place: str) -> Sequence[Mapping[str, Any]]:
    """The rows of a list of `compare.json`.

    Args:
        content: the content of the file.
        place: the name of the list, such as "runs".

    Returns:
        The rows; none where the list is missing.

    Raises:
        UserError: it is no list of rows, each with its rule, or a column of numbers holds something else.
    """
    rows = content.get(place) or []
    if not isinstance(rows, list) or not all(isinstance(row, dict) and "rule" in row for row in rows):
        raise UserError(f"'{place}' of compare.json is no list of rows, each with its rule. Make the comparison again")
    for row in rows:
        for column, value in row.items():
            counted = column not in WHOSE if place in MEASURED else column in FIGURE_COLUMNS
            parts = _parts(value) if place == "rules" else [value]
            if counted and not all(part is None or isinstance(part, int | float) for part in parts):
                raise UserError(
                    f"{column} in '{place}' of compare.json is no number for rule '{row['rule']}'. Restore the file, "
                    f"or make it again: neurorules compare ... --resume"
                )
    return rows


def _parts(value: Any) -> Iterator[Any]:
    """The values in a rule's column: a mean over its seeds, its spread, and the bounds of an interval."""
    if isinstance(value, dict | list):
        for part in value.values() if isinstance(value, dict) else value:
            yield from _parts(part)
    else:
        yield value
