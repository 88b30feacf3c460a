"""The division of a network's layers over ranks: each rank gets some that follow each other, at even costs."""

from __future__ import annotations

import time
from collections.abc import Sequence
from functools import cache

import torch

from neurorules.connections._products import listing_once
from neurorules.network.model import Learned, Model
from neurorules.torch_path.trial.pipeline import Parcel, run_stage

ROUNDS = 3
"""The number of times that costs are measured. The first time also compiles and allocates."""


def measured_costs(model: Model, learned: Learned, parcel: Parcel) -> list[float]:
    """The time that each layer takes to run a batch and to learn from it. Nothing is changed.

    Args:
        model: network, rule and signal.
        learned: current parameters and state.
        parcel: a batch that no layer has seen.

    Returns:
        Seconds by layer, the least of some rounds. On a CPU these are seconds in which it worked, so that other
        programs on the machine hardly matter.
    """
    rounds: list[list[float]] = []
    for _ in range(ROUNDS):
        passing, seconds = parcel, []
        for index in range(len(model.network.layers)):
            started = _now(parcel)
            with listing_once():
                passing = run_stage(model, learned, index, passing).parcel
            seconds.append(_now(parcel) - started)
        rounds.append(seconds)
    return [min(each) for each in zip(*rounds[1:], strict=True)]


def _now(parcel: Parcel) -> float:
    if parcel.drive.values.is_cpu:
        return time.thread_time()
    torch.cuda.synchronize()
    return time.perf_counter()


def divided(costs: Sequence[float], ranks: int) -> list[range]:
    """Divide layers over ranks so that the most expensive rank costs as little as possible.

    Args:
        costs: by layer, each >= 0.
        ranks: the number of ranks, 1 .. the number of layers.

    Returns:
        The layers of each rank, at least one, in order.
    """

    @cache
    def best(first: int, left: int) -> tuple[float, tuple[int, ...]]:
        """The cost of the most expensive rank, and where each of the `left` ranks ends, from a first layer on."""
        if left == 1:
            return sum(costs[first:]), (len(costs),)
        ends = range(first + 1, len(costs) - left + 2)
        return min(_joined(sum(costs[first:end]), end, best(end, left - 1)) for end in ends)

    ends = best(0, ranks)[1]
    return [range(start, end) for start, end in zip((0, *ends), ends, strict=False)]


def _joined(cost: float, end: int, rest: tuple[float, tuple[int, ...]]) -> tuple[float, tuple[int, ...]]:
    return max(cost, rest[0]), (end, *rest[1])
