"""The file of a paper: its tables, row by row, with the paper's numbers and the settings that are trained."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from neurorules.language.config import TrainConfig
from neurorules.papers.experiment import Experiments
from neurorules.papers.protocol import Protocols
from neurorules.papers.published import Published as Published


class Trained(NamedTuple):
    """A trained run of one seed of a row: its `result.json`, and the lines of its `metrics.jsonl`."""

    result: dict[str, Any]
    metrics: list[dict[str, Any]]


Measure = Callable[[Sequence[Trained]], str]
"""A further column: a function from the runs of a row to the text of its cell, "-" where there is none."""


@dataclass(frozen=True)
class Row:
    """One line of a table.

    Args:
        label: the paper's term, such as "SP voltage".
        config: the configuration, whose seed is the first of the seeds.
        published: the number in the paper; None if there is none.
    """

    label: str
    config: TrainConfig
    published: Published | None = None


@dataclass(frozen=True)
class Table:
    """A table of a paper: its title, and its rows, which share a data set."""

    title: str
    rows: tuple[Row, ...]

    @property
    def data(self) -> str:
        """The data set of the rows."""
        return self.rows[0].config.data


@dataclass(frozen=True)
class Paper:
    """The tables of a paper, with their source.

    Args:
        title: the line above the tables.
        source: authors and year.
        tables: one for each data set or architecture.
        notes: sentences that a reader must know, such as that a table is a reconstruction.
        measures: further columns, by title.
        protocols: tables that are measured on one synapse.
        experiments: tables of networks of their own, which no `TrainConfig` can describe.
    """

    title: str
    source: str
    tables: tuple[Table, ...]
    notes: tuple[str, ...] = ()
    measures: dict[str, Measure] = field(default_factory=dict)
    protocols: tuple[Protocols, ...] = ()
    experiments: tuple[Experiments, ...] = ()
