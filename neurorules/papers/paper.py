"""What a paper's file says: its tables, row by row, with the paper's numbers and our settings beside them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

from neurorules.language.config import TrainConfig

Trust = Literal["verified", "second-hand", "recalled, unverified"]
"""How far a paper's number can be trusted: read in a public text or code; in someone's notes; recalled only."""


class Published(NamedTuple):
    """A paper's test accuracy in percent, its spread where given, and how far it can be trusted."""

    value: float
    spread: float | None = None
    trust: Trust = "verified"

    def show(self) -> str:
        """As a cell of a table."""
        spread = "" if self.spread is None else f" ± {self.spread:.2f}"
        return f"{self.value:.2f}{spread}" + ("" if self.trust == "verified" else f" ({self.trust})")


class Trained(NamedTuple):
    """One seed of a row: its `result.json`, and the lines of its `metrics.jsonl`."""

    result: dict[str, Any]
    metrics: list[dict[str, Any]]


Measure = Callable[[Sequence[Trained]], str]
"""A further column: from a row's seeds to the text of its cell; "-" where it has none."""


@dataclass(frozen=True)
class Row:
    """One line of a table.

    Args:
        label: the paper's own word, such as "SP voltage".
        config: what is trained; its seed is the first one.
        published: the paper's number; None where it has none.
    """

    label: str
    config: TrainConfig
    published: Published | None = None


@dataclass(frozen=True)
class Table:
    """One table: title and rows, which share a data set."""

    title: str
    rows: tuple[Row, ...]

    @property
    def data(self) -> str:
        """The data set of its rows."""
        return self.rows[0].config.data


@dataclass(frozen=True)
class Paper:
    """A paper's tables.

    Args:
        title: as printed above them.
        source: authors and year.
        tables: one for each data set or architecture.
        notes: what a reader must know, such as "a reconstruction".
        measures: further columns by title.
    """

    title: str
    source: str
    tables: tuple[Table, ...]
    notes: tuple[str, ...] = ()
    measures: dict[str, Measure] = field(default_factory=dict)
