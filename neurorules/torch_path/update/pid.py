"""A controller as an optimiser: proportional, integral and differential parts of the gradient."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from neurorules.language.ranges import Fraction, NonNegative, ranged
from neurorules.torch_path.update.updates import Member


class Gains(NamedTuple):
    """The numbers of a controller.

    Args:
        kp: gain of the gradient itself.
        ki: gain of its running sum.
        kd: gain of its change since the update before.
        keep: share of the sum that is kept at each update, in [0, 1].
    """

    kp: float
    ki: float
    kd: float
    keep: float


@ranged("optimizer 'pid'")
def pid_gains(*, kp: NonNegative = 1.0, ki: NonNegative = 0.1, kd: NonNegative = 0.1, keep: Fraction = 0.9) -> Gains:
    """Read and check the options of the optimiser `pid`.

    Args:
        kp, ki, kd: gains, >= 0.
        keep: share of the sum that is kept, in [0, 1]; 1 is the pure integral, which forgets nothing.

    Returns:
        The four numbers.

    Raises:
        UserError: a number out of its range.
    """
    return Gains(kp, ki, kd, keep)


def pid(members: Sequence[Member], rate: float, decay: float, gains: Gains) -> None:
    """Change parameters in place: dK = -rate (kp G + ki sum G + kd (G - G before)).

    Source: our reading of the distributed PID control of Jiang 2024 (arXiv 2411.14468), whose law is not public.

    Args:
        members: parameters, their gradients, and what is kept of each: the sum and the gradient before.
        rate: learning rate, >= 0.
        decay: L2 decay, >= 0; G is the gradient with it.
        gains: of the controller.
    """
    for parameter, plain, state in members:
        gradient = plain.add(parameter, alpha=decay)
        before = state.get("before", gradient)
        state["sum"] = state["sum"].mul_(gains.keep).add_(gradient) if "sum" in state else gradient.clone()
        change = gains.kp * gradient + gains.ki * state["sum"] + gains.kd * (gradient - before)
        state["before"] = gradient
        parameter.add_(change, alpha=-rate)
