"""The place of a run among its epochs and batches, as a checkpoint stores it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Position:
    """The place of a run among its epochs and batches.

    Args:
        epoch, batch: the next ones to learn, from 0.
        sums: the sums of loss, accuracy or the figures of another task, by name, over the samples of this epoch so far.
        seconds: the time spent learning.
        validation: accuracy on held-out samples after each epoch, in 0..1, or the first figure of another task; None if
            no samples are held out.
        threads: number of threads that the run computes with; None before it begins.
    """

    epoch: int = 0
    batch: int = 0
    sums: dict[str, float] = field(default_factory=dict)
    seconds: float = 0.0
    validation: list[float | None] = field(default_factory=list)
    threads: int | None = None


def position_of(state: Mapping[str, Any]) -> Position:
    """The position in a checkpoint; earlier versions stored the sums of loss and accuracy under names of their own."""
    fields = dict(state)
    if "loss" in fields:
        fields["sums"] = {name: fields.pop(name) for name in ("loss", "accuracy")}
    return Position(**fields)
