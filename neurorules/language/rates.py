"""Learning rate schedules (`--lr-schedule`): `cosine`, `linear:warmup=0.1`, `constant`, `steps:at=60-90:factor=0.1`."""

from __future__ import annotations

import math
from collections.abc import Callable

from neurorules.language.errors import UserError, unknown
from neurorules.language.options import convert_options, parse_named
from neurorules.language.ranges import BelowOne, NonNegative, ranged

RateSchedule = Callable[[float, int], float]
"""A function of the time in epochs and the total number of epochs, which returns a factor for the learning rate."""


def rate_schedule(text: str) -> RateSchedule:
    """Build the schedule that a text describes.

    Raises:
        UserError: the name or an option is unknown, or the epochs are not in rising order.
    """
    if not isinstance(text, str):
        raise UserError(f"lr_schedule is {text!r:.60}. Give a text such as 'cosine', 'constant' or 'steps:at=60-90'")
    name, options = parse_named(text)
    if name not in SCHEDULES:
        raise unknown("learning rate schedule", name, SCHEDULES)
    factory = SCHEDULES[name]
    return factory(**convert_options(f"learning rate schedule '{name}'", factory, options))


@ranged("learning rate schedule 'cosine'")
def cosine(*, warmup: BelowOne = 0.0) -> RateSchedule:
    """A factor that falls from 1 to 0 as half a cosine. Source: Loshchilov & Hutter 2017, without restarts.

    Args:
        warmup: the first share of the training, in which the factor rises from 0 to 1 along a line, in [0, 1).

    Returns:
        The schedule.
    """
    return _warmed(warmup, lambda at, total: 0.5 * (1 + math.cos(math.pi * at / total)))


@ranged("learning rate schedule 'linear'")
def linear(*, warmup: BelowOne = 0.0) -> RateSchedule:
    """A factor that falls from 1 to 0 along a line.

    Args:
        warmup: the first share of the training, in which the factor rises from 0 to 1 along a line, in [0, 1).

    Returns:
        The schedule.
    """
    return _warmed(warmup, lambda at, total: 1 - at / total)


def constant() -> RateSchedule:
    """A factor of 1 throughout: the learning rate keeps its initial value."""
    return lambda epoch, epochs: 1.0


@ranged("learning rate schedule 'steps'")
def steps(*, at: str, factor: NonNegative = 0.1) -> RateSchedule:
    """A factor that falls in steps: it is multiplied by `factor` at the end of each of the listed epochs.

    Args:
        at: the epochs in rising order, joined by -, such as "60-90".
        factor: the factor of each step, >= 0.

    Returns:
        The schedule.

    Raises:
        UserError: the epochs are not integers in rising order.
    """
    if not all(piece.isdigit() for piece in at.split("-")):
        raise UserError(f"learning rate schedule 'steps': at={at} is not a list of epochs. Write at=60-90")
    times = [int(piece) for piece in at.split("-")]
    if times != sorted(set(times)):
        raise UserError(f"learning rate schedule 'steps': at={at} does not rise. Write at=60-90")
    return lambda epoch, epochs: float(factor ** sum(epoch >= time for time in times))


def _warmed(warmup: float, falling: Callable[[float, float], float]) -> RateSchedule:
    """A schedule that rises through the first share of the epochs, and falls through the others by a function of the
    time among them and of their number.
    """

    def factor(epoch: float, epochs: int) -> float:
        risen = warmup * epochs
        return epoch / risen if epoch < risen else falling(epoch - risen, epochs - risen)

    return factor


SCHEDULES: dict[str, Callable[..., RateSchedule]] = {
    "cosine": cosine, "linear": linear, "constant": constant, "steps": steps,
}  # fmt: skip
