"""The settings of a `Learner`: those of the net and of learning, and the shape of its input."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import torch

from neurorules.contracts.target import FEWEST_OUTPUTS, OF_VALUES, TASKS
from neurorules.language.config import check_numbers, check_schedule
from neurorules.language.errors import UserError, unknown
from neurorules.language.ranges import Classes, Count, check_range, check_shape
from neurorules.language.registry import OWN_PARTS, with_own_parts
from neurorules.language.settings import LearningSettings, NetSettings, Scores, Targets, Task
from neurorules.network.network import Network


@dataclass(frozen=True)
class LearnerSettings(LearningSettings, NetSettings):
    """The settings of one learner. Those that are missing here are described in `language.settings`.

    Args:
        net: a `Network`, a text such as "800-800", a module of torch and snnTorch layers, or a NIR graph or file.
        input_shape: the input shape of one sample at one step, (C, H, W) or (N,).
        classes: number of classes, >= 2, or of labels.
        task: what the targets of samples are: classes, multilabel, regression, classes_per_step or
            regression_per_step (`neurorules.contracts.target`).
        outputs: the number of outputs of a regression, instead of `classes`.

    A rule, a signal or a neuron may also be a file, "my_rule.py:alpha=3".

    Raises:
        UserError: a number is outside its range, the input shape is no shape, a schedule or task is unknown, classes
            do not belong to the task, or a file contains no such part.
    """

    net: Network | str | torch.nn.Module | Any = field()  # type: ignore[assignment]  # more than a text
    input_shape: tuple[int, ...] | None = field(default=None, kw_only=True)
    classes: int | None = field(default=None, kw_only=True)
    task: Task = field(default="classes", kw_only=True)
    outputs: int | None = field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        for name, value in with_own_parts({name: getattr(self, name) for name in OWN_PARTS}).items():
            object.__setattr__(self, name, value)
        schedule: Any = self.schedule
        if isinstance(schedule, int) and not isinstance(schedule, bool):  # a number of steps
            object.__setattr__(self, "schedule", str(schedule))
        check_schedule(self.schedule)
        if self.task not in TASKS:
            raise unknown("task", self.task, TASKS)
        mine, other = ("outputs", "classes") if self.task in OF_VALUES else ("classes", "outputs")
        if getattr(self, other) is not None:
            raise UserError(
                f"{other}={getattr(self, other)} is given, and task='{self.task}' counts its {mine}. Give {mine}="
            )
        if self.size is not None:
            check_range(mine, self.size, Classes if FEWEST_OUTPUTS[self.task] > 1 else Count)
        if self.input_shape is not None:
            object.__setattr__(self, "input_shape", check_shape("input_shape", self.input_shape))
        check_numbers(vars(self))

    @property
    def of_model(self) -> tuple[str | None, str | None, Targets, Scores, Task, int | None]:
        """The arguments of `network.model.build_model` after network and rule, in order."""
        return self.signal, self.dw, self.targets, self.scores, self.task, self.last_steps

    @property
    def size(self) -> int | None:
        """The number of outputs of the read-out: classes, labels or values; None if the net determines it."""
        return self.outputs if self.task in OF_VALUES else self.classes
