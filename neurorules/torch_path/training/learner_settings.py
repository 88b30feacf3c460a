"""What a `Learner` is told: the settings of the net and of learning, and the shape of what it will see."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import torch

from neurorules.language.config import check_numbers, check_schedule
from neurorules.language.registry import OWN_PARTS, with_own_parts
from neurorules.language.settings import LearningSettings, NetSettings
from neurorules.network.network import Network


@dataclass(frozen=True)
class LearnerSettings(LearningSettings, NetSettings):
    """Settings of one learner; those that are not described here are described in `language.settings`.

    Args:
        net: a `Network`, a text such as "800-800", or a module of torch and snnTorch layers.
        input_shape: of one sample at one step, (C, H, W) or (N,).
        classes: number of classes, >= 2.

    A rule, a signal or a neuron may also be a file, "my_rule.py:alpha=3".

    Raises:
        UserError: a number outside its range, an unknown schedule, or a file that offers no such thing.
    """

    net: Network | str | torch.nn.Module | Any = field()  # type: ignore[assignment]  # more than a text
    input_shape: tuple[int, ...] | None = field(default=None, kw_only=True)
    classes: int | None = field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        for name, value in with_own_parts({name: getattr(self, name) for name in OWN_PARTS}).items():
            object.__setattr__(self, name, value)
        check_schedule(self.schedule)
        check_numbers(vars(self))
