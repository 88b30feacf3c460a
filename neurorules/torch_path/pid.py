"""A controller as an optimiser: proportional, integral and differential parts of the gradient."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import torch

from neurorules.language.errors import UserError


class Gains(NamedTuple):
    """Of the gradient itself, of its running sum, of its change; and what of the sum is kept at each update."""

    kp: float
    ki: float
    kd: float
    keep: float


def pid_gains(*, kp: float = 1.0, ki: float = 0.1, kd: float = 0.1, keep: float = 0.9) -> Gains:
    """The options of `pid`.

    Args:
        kp, ki, kd: gains, >= 0.
        keep: share of the sum that is kept, in [0, 1]; 1 is the pure integral, which forgets nothing.

    Raises:
        UserError: one out of range.
    """
    if min(kp, ki, kd) < 0 or not 0 <= keep <= 1:
        raise UserError(f"optimizer 'pid': kp={kp:g}, ki={ki:g}, kd={kd:g} must not be negative, keep={keep:g} in 0..1")
    return Gains(kp, ki, kd, keep)


class Pid(torch.optim.Optimizer):
    """dK = -lr (kp G + ki sum G + kd (G - G before)).

    Source: our reading of the distributed PID control of Jiang 2024 (arXiv 2411.14468), whose law is not public.
    """

    def __init__(self, groups: Iterable[Mapping[str, Any]], gains: Gains) -> None:
        super().__init__([dict(group) for group in groups], {"lr": 1.0, "weight_decay": 0.0})
        self.gains = gains

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        """Change every parameter that has a gradient."""
        kp, ki, kd, keep = self.gains
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is None:
                    continue
                gradient = parameter.grad.add(parameter, alpha=group["weight_decay"])
                state = self.state[parameter]
                before = state.get("before", gradient)
                state["sum"] = state["sum"].mul_(keep).add_(gradient) if "sum" in state else gradient.clone()
                moved = kp * gradient + ki * state["sum"] + kd * (gradient - before)
                state["before"] = gradient
                parameter.add_(moved, alpha=-group["lr"])
