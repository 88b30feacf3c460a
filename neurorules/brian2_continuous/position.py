"""The place of a run in continuous time, and the check that a stored place is one that the run can be at."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np

from neurorules.brian2_continuous.parts.layers import INPUT_PHASE
from neurorules.brian2_continuous.parts.plan import Order
from neurorules.language.errors import UserError


@dataclass
class Position:
    """The progress of a training run.

    Args:
        epoch: number of finished epochs.
        presentation: number of the next presentation of the present epoch, from 0.
        learned: number of samples of the present epoch that have been learned.
        right: number of these whose largest score was that of their class.
        seconds: time that learning has taken, in seconds.
        validation: accuracy on validation samples after each finished epoch, in 0..1; None without such samples.
    """

    epoch: int = 0
    presentation: int = 0
    learned: int = 0
    right: int = 0
    seconds: float = 0.0
    validation: list[float | None] = field(default_factory=list)


def position_from(state: Mapping[str, Any], epochs: int, order: Order, whole: int) -> Position:
    """Read the position that a checkpoint holds.

    Args:
        state: fields of the position by name, as the checkpoint has them.
        epochs: number of epochs of the run, >= 1.
        order: the presentations of an epoch.
        whole: number of presentations of one run of the circuit, >= 1.

    Returns:
        The position.

    Raises:
        UserError: the run is never there.
    """
    if set(state) != {one.name for one in fields(Position)} or not (
        _has_types(**state) and _may_be(Position(**state), epochs, order, whole)
    ):
        raise UserError(
            "the checkpoint names a position that this run never reaches: the file was changed, or written by another "
            "version. Restore the file, or begin again with --force"
        )
    return Position(**state)


def _may_be(at: Position, epochs: int, order: Order, whole: int) -> bool:
    """Whether a run of so many epochs passes a position."""
    shown = int(np.sum(order.phases[: at.presentation] == INPUT_PHASE))
    ends = at.presentation % whole == 0 or at.presentation == len(order.phases)
    begins = at.presentation == 0 or at.epoch < epochs
    return (
        0 <= at.epoch <= epochs
        and 0 <= at.presentation <= len(order.phases)
        and ends
        and begins
        and 0 <= at.right <= at.learned == shown
        and len(at.validation) == at.epoch
    )


def _has_types(
    epoch: object, presentation: object, learned: object, right: object, seconds: object, validation: object
) -> bool:
    """Whether stored values are of the types of a position's fields, and numbers are finite."""
    counts = all(type(count) is int for count in (epoch, presentation, learned, right))
    accuracies = isinstance(validation, list) and all(one is None or _is_number(one, 1.0) for one in validation)
    return counts and _is_number(seconds, math.inf) and accuracies


def _is_number(value: object, most: float) -> bool:
    """Whether a value is a finite number from 0 to the most that it may be."""
    return isinstance(value, int | float) and math.isfinite(value) and 0 <= value <= most
