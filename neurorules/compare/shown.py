"""A comparison in Python: a dictionary with a view for notebooks."""

from __future__ import annotations

from typing import Any

from neurorules.compare.table import COLUMNS, cells, rows_of
from neurorules.runs.shown.markup import picture, table


class Comparison(dict[str, Any]):
    """The content of `compare.json`, by name. In a notebook it shows its table and a small picture."""

    def __repr__(self) -> str:
        rows = [f"{row.rule} {cells(row)[COLUMNS.index('test %')]} %" for row in rows_of(self["runs"])]
        return f"<Comparison {self['title']}: {'; '.join(rows)}; keys {', '.join(self)}>"

    def _repr_html_(self) -> str:
        from neurorules.runs.shown.pictures import bars  # drawing is imported only when something is shown

        accuracies: dict[str, list[float]] = {}
        for run in self["runs"]:
            accuracies.setdefault(run["rule"], []).append(run["test_accuracy"])
        drawn = picture(bars(accuracies, "test accuracy"), "test accuracy of each rule, a dot for each seed")
        return table(COLUMNS, [cells(row) for row in rows_of(self["runs"])], self["title"]) + drawn
