"""The file of a suite: its tasks, each with its data, its settings and its rules."""

from __future__ import annotations

from dataclasses import dataclass, replace

from neurorules.language.config import TrainConfig
from neurorules.rules import RULES

CONTROL = "shallow"
"""The rule whose hidden layers keep their initial weights."""


@dataclass(frozen=True)
class Task:
    """One column of the table.

    Args:
        name: the title of the column, and the name of a folder: small letters, digits and underscores.
        what: the question of the task as a phrase, such as "which of two cues came first".
        config: the data set, the net, the epochs, and all other settings that are the same for every rule.
        rules: the names of the rules to train if the user names none; empty for all rules.
        in_time: whether the same samples with their time steps shuffled (`shuffled=true`) are a control.
    """

    name: str
    what: str
    config: TrainConfig
    rules: tuple[str, ...] = ()
    in_time: bool = False

    def usual_rules(self) -> tuple[str, ...]:
        """The names of the rules to train if the user names none, without the control."""
        return self.rules or tuple(name for name in RULES.installed if name != CONTROL)

    def out_of_time(self) -> TrainConfig:
        """The settings of the same task, its samples shuffled in time."""
        return replace(self.config, data=f"{self.config.data}:shuffled=true")


@dataclass(frozen=True)
class Suite:
    """Tasks that belong together, in one table of the benchmark.

    Args:
        title: the line above the table.
        tasks: the columns, in their order.
        notes: sentences that a reader must know of these tasks.
    """

    title: str
    tasks: tuple[Task, ...]
    notes: tuple[str, ...] = ()


def with_labels() -> tuple[str, ...]:
    """The names of the rules that have a learning signal."""
    return tuple(name for name in RULES.installed if RULES.make(name).signal is not None)
