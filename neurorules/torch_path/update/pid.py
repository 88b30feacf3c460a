"""A PID controller as an optimiser: proportional, integral and differential parts of the gradient."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from neurorules.language.ranges import Fraction, NonNegative, ranged
from neurorules.torch_path.update.updates import Member


@ranged("optimizer 'pid'")
@dataclass(frozen=True)
class Pid:
    """A PID controller: dK = -rate (kp G + ki sum G + kd (G - G before)).

    Source: our reading of the distributed PID control of Jiang 2024 (arXiv 2411.14468), whose update law is not public.

    Args:
        kp, ki, kd: gains of the gradient itself, of its running sum, and of its change since the update before.
        keep: the share of the sum that is kept at each update; 1 gives the pure integral.
    """

    kp: NonNegative = 1.0
    ki: NonNegative = 0.1
    kd: NonNegative = 0.1
    keep: Fraction = 0.9

    def __call__(self, members: Sequence[Member], rate: float, decay: float) -> None:
        """Change parameters in place, at a learning rate; G is the gradient with `decay` w added to it."""
        for parameter, plain, state in members:
            gradient = plain.add(parameter, alpha=decay)
            before = state.get("before", gradient)
            state["sum"] = state["sum"].mul_(self.keep).add_(gradient) if "sum" in state else gradient.clone()
            change = self.kp * gradient + self.ki * state["sum"] + self.kd * (gradient - before)
            state["before"] = gradient
            parameter.add_(change, alpha=-rate)
