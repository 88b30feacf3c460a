"""Schedules by which learning rates fall over a training: `cosine`, `constant`, or `steps:at=60-90:factor=0.1`."""

from __future__ import annotations

import math
from collections.abc import Callable

from neurorules.language.errors import UserError, unknown
from neurorules.language.options import convert_options, parse_named
from neurorules.language.ranges import NonNegative, ranged

RateSchedule = Callable[[float, int], float]
"""A function from a time in epochs, and the number of epochs in all, to the fraction of the learning rate."""


def rate_schedule(text: str) -> RateSchedule:
    """The schedule that a text names.

    Raises:
        UserError: an unknown name or option, or epochs that do not rise.
    """
    name, options = parse_named(text)
    if name not in SCHEDULES:
        raise unknown("learning rate schedule", name, SCHEDULES)
    factory = SCHEDULES[name]
    return factory(**convert_options(f"learning rate schedule '{name}'", factory, options))


def cosine() -> RateSchedule:
    """Falls from 1 to 0 by half a cosine. Source: Loshchilov & Hutter 2017, without restarts."""
    return lambda epoch, epochs: 0.5 * (1 + math.cos(math.pi * epoch / epochs))


def constant() -> RateSchedule:
    """Keeps the learning rate at its start value, a factor of 1."""
    return lambda epoch, epochs: 1.0


@ranged("learning rate schedule 'steps'")
def steps(*, at: str, factor: NonNegative = 0.1) -> RateSchedule:
    """Falls in steps: the rate is multiplied by a factor when each of some epochs is over.

    Args:
        at: the epochs, rising whole numbers joined by -, such as "60-90".
        factor: of each step, >= 0.

    Returns:
        The schedule.

    Raises:
        UserError: epochs that are not rising whole numbers.
    """
    if not all(piece.isdigit() for piece in at.split("-")):
        raise UserError(f"learning rate schedule 'steps': at={at} is not a list of epochs. Write at=60-90")
    times = [int(piece) for piece in at.split("-")]
    if times != sorted(set(times)):
        raise UserError(f"learning rate schedule 'steps': at={at} does not rise. Write at=60-90")
    return lambda epoch, epochs: float(factor ** sum(epoch >= time for time in times))


SCHEDULES: dict[str, Callable[..., RateSchedule]] = {"cosine": cosine, "constant": constant, "steps": steps}
