"""The file of a suite: its tasks, each with its data, its settings and the rules that are tried on it."""

from __future__ import annotations

from dataclasses import dataclass, replace

from neurorules.language.config import TrainConfig
from neurorules.rules import RULES

CONTROL = "shallow"
"""The rule whose hidden layers stay as they were drawn."""


@dataclass(frozen=True)
class Task:
    """One column of the table.

    Args:
        name: the title of the column, and the name of a folder: small letters, digits and underscores.
        what: what is learned, a sentence without a full stop.
        config: the data set, the net, the epochs, and all else that holds for every rule.
        rules: names of the rules that are tried where the user names none; empty for every rule there is.
        in_time: whether the same samples with their time steps shuffled (`shuffled=true`) are a control.
    """

    name: str
    what: str
    config: TrainConfig
    rules: tuple[str, ...] = ()
    in_time: bool = False

    def usual_rules(self) -> tuple[str, ...]:
        """Names of the rules that are tried where the user names none; the control is not among them."""
        return self.rules or tuple(name for name in RULES.installed if name != CONTROL)

    def out_of_time(self) -> TrainConfig:
        """The settings of the same task, its samples shuffled in time."""
        return replace(self.config, data=f"{self.config.data}:shuffled=true")


@dataclass(frozen=True)
class Suite:
    """Tasks that belong together and stand in one table of the benchmark.

    Args:
        title: the line above the table.
        tasks: the columns, in their order.
        notes: sentences that a reader must know of these tasks.
    """

    title: str
    tasks: tuple[Task, ...]
    notes: tuple[str, ...] = ()
