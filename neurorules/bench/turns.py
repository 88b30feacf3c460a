"""Times of calls that take turns, so that a busy moment of the machine affects all of them."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from statistics import median, quantiles
from typing import NamedTuple

import torch

WARM_UP = 2
"""The number of calls of each before the first turn, in which libraries load, kernels are compiled, and optimisers
allocate."""


class Spread(NamedTuple):
    """The median and the quartiles of some numbers.

    Args:
        median, low, high: the middle number, and the first and the third quartile.
    """

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, numbers: list[float]) -> Spread:
        """Find the median and the quartiles of numbers.

        Args:
            numbers: at least one.

        Returns:
            The median and the quartiles; all three are equal for a single number.
        """
        low, high = quantiles(numbers, n=4, method="inclusive")[::2] if len(numbers) > 1 else (numbers[0], numbers[0])
        return cls(median(numbers), low, high)


class Turns:
    """Times of calls that take turns. Every second turn runs in the opposite order, so that calls have different
    predecessors.

    Args:
        calls: by name.
        repetitions: number of turns, >= 1.
        device: the device, whose work is waited for within a call.
        clock: gives seconds; those of the processor (`time.process_time`) on a machine that others use.
    """

    def __init__(
        self, calls: Mapping[str, Callable[[], object]], repetitions: int, device: torch.device | str = "cpu",
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:  # fmt: skip
        device = torch.device(device)
        self._ms: dict[str, list[float]] = {name: [] for name in calls}
        for call in calls.values():
            for _ in range(WARM_UP):
                call()
        for turn in range(repetitions):
            for name in list(calls)[:: -1 if turn % 2 else 1]:
                wait_for(device)
                started = clock()
                calls[name]()
                wait_for(device)
                self._ms[name].append(1000 * (clock() - started))

    def spread(self, name: str) -> Spread:
        """The spread of the milliseconds of a call."""
        return Spread.of(self._ms[name])

    def ratios(self, above: str, below: str) -> Spread:
        """The ratio of two calls' times in the same turn.

        Args:
            above, below: the names of the calls.

        Returns:
            Median and quartiles of time of `above` / time of `below` over turns, > 0.
        """
        return Spread.of([a / b for a, b in zip(self._ms[above], self._ms[below], strict=True)])

    def ms(self, name: str) -> float:
        """Median milliseconds of a call."""
        return self.spread(name).median

    def ratio(self, above: str, below: str) -> float:
        """Median of the ratio of two calls' times in the same turn.

        Args:
            above, below: as in `ratios`.

        Returns:
            The median, > 0.
        """
        return self.ratios(above, below).median


def wait_for(device: torch.device) -> None:
    """Wait until a device has finished all of its work."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
